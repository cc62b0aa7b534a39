// Plain pages for people: enough of a GitHub to read issues, comment, set labels and look at a pull request. Used by
// the demo; there is one person here (the repository's owner) and no sign-in.
import { pullOf } from './api.mjs';
import { renderMarkdown } from './markdown.mjs';

const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

// Where a #number or a @name of this repository leads.
function prose({ state }, repo, text) {
  return renderMarkdown(text, (number, login) => {
    if (login) return state.data.users[login] ? `/${login}` : null;
    const issue = repo.issues[number];
    return issue ? `${path(repo)}/${issue.isPull ? 'pull' : 'issues'}/${number}` : null;
  });
}

const STYLE = `:root{color-scheme:light dark;--line:light-dark(#d8dee4,#30363d);--soft:light-dark(#f6f8fa,#161b22);--dim:light-dark(#59636e,#9198a1);--link:light-dark(#0969da,#4493f8)}
body{font:15px/1.55 system-ui,"Hiragino Sans","Noto Sans CJK JP",sans-serif;margin:0 auto;max-width:56rem;padding:1rem}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}h1{font-size:1.5rem}header{color:var(--dim);border-bottom:1px solid var(--line);padding-bottom:.5rem}
.box{border:1px solid var(--line);border-radius:8px;margin:.8rem 0;overflow:hidden}.box>header{background:var(--soft);padding:.4rem .8rem;font-size:.85rem}.box>div{padding:.1rem .8rem;overflow-wrap:anywhere}
.box :is(h1,h2,h3,h4){font-size:1.05rem;margin:.9rem 0 .3rem}.box :is(p,ul,ol,pre,blockquote,details,table){margin:.6rem 0}.box :is(ul,ol){padding-left:1.6rem}blockquote{border-left:.25rem solid var(--line);color:var(--dim);padding-left:.8rem;margin-left:0}
code{background:var(--soft);border-radius:4px;padding:.1rem .3rem;font-size:.88em}pre code{padding:0}sub{font-size:.8rem;color:var(--dim);vertical-align:baseline}summary{cursor:pointer;color:var(--dim)}table{border-collapse:collapse}:is(td,th){border:1px solid var(--line);padding:.2rem .5rem}
.row{display:block;padding:.6rem .8rem;border-top:1px solid var(--line)}.row:first-child{border:0}.label{border:1px solid var(--line);border-radius:1rem;padding:0 .55rem;font-size:.8rem;margin-left:.3rem}
pre{background:var(--soft);padding:.6rem;overflow:auto;border-radius:6px}.add{color:light-dark(#1a7f37,#3fb950)}.del{color:light-dark(#cf222e,#f85149)}
textarea,input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid var(--line);border-radius:6px;background:inherit;color:inherit}textarea{min-height:6rem}
button{font:inherit;padding:.35rem .9rem;border:1px solid var(--line);border-radius:6px;background:var(--soft);color:inherit;cursor:pointer;margin-top:.4rem}form.inline{display:inline}`;

export async function servePage(rig, url, request, body, response) {
  const [owner, name, kind, number] = url.pathname.split('/').filter(Boolean);
  const repo = owner && name ? rig.state.repo(owner, name) : null;
  if (request.method === 'POST' && repo && repo.issues[number]) return post(rig, repo, number, new URLSearchParams(body), url, response);
  const html = !owner ? home(rig) : !repo ? null : kind === 'pull' && repo.pulls[number] ? pullPage(rig, repo, number) : kind === 'issues' && number ? issuePage(rig, repo, number) : repoPage(rig, repo);
  response.writeHead(html ? 200 : 404, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'" });
  response.end(layout(html ?? '<h1>Not found</h1>'));
}

function post(rig, repo, number, form, url, response) {
  const { state } = rig;
  if (form.get('comment')?.trim()) state.addComment(repo, number, repo.owner, form.get('comment'));
  if (form.get('label')) state.label(repo, number, form.get('label'), repo.owner);
  if (form.get('unlabel')) state.unlabel(repo, number, form.get('unlabel'), repo.owner);
  response.writeHead(303, { location: url.pathname }).end();
}

const layout = (html) => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Stand-in GitHub</title><style>${STYLE}</style><header>A stand-in for GitHub on this machine · <a href="/">repositories</a></header>${html}</html>`;
const path = (repo) => `/${repo.owner}/${repo.name}`;
const labels = (repo, issue) => issue.labels.map((l) => {
  const color = /^[0-9a-f]{6}$/i.exec(repo.labels.find((known) => known.name === l)?.color)?.[0];
  return `<span class="label"${color ? ` style="border-color:#${color};background:#${color}22"` : ''}>${escape(l)}</span>`;
}).join('');
const reactions = (issue) => (issue.reactions.some((r) => r.content === 'eyes') ? '<p>👀</p>' : '');

const home = ({ state }) => `<h1>Repositories</h1><div class="box">${Object.values(state.data.repos).map((r) => `<a class="row" href="${path(r)}">${escape(r.owner)}/${escape(r.name)}</a>`).join('')}</div>`;

function repoPage({ state }, repo) {
  const all = Object.values(repo.issues).sort((a, b) => b.number - a.number);
  const rows = (list, kind) => list.map((i) => `<span class="row"><a href="${path(repo)}/${kind}/${i.number}">#${i.number} ${escape(i.title)}</a>${labels(repo, i)}</span>`).join('') || '<span class="row">none</span>';
  const files = state.tip(repo, repo.default_branch) ? state.git(repo, 'ls-tree', '-r', '--name-only', repo.default_branch) : '(empty)';
  return `<h1>${escape(repo.owner)}/${escape(repo.name)}</h1><h2>Pull requests</h2><div class="box">${rows(all.filter((i) => i.isPull), 'pull')}</div><h2>Issues</h2><div class="box">${rows(all.filter((i) => !i.isPull), 'issues')}</div><h2>Files</h2><pre>${escape(files)}</pre>`;
}

const comments = (rig, repo, number) => repo.comments.filter((c) => c.number === Number(number)).map((c) => box(rig, repo, c, `issuecomment-${c.id}`)).join('');
const box = (rig, repo, { login, created_at, body }, id = 'top') => `<div class="box" id="${id}"><header><b>${escape(login)}</b> · ${escape(created_at.replace('T', ' ').replace('Z', ' UTC'))}</header><div>${prose(rig, repo, body)}</div></div>`;

function talk(repo, issue) {
  const action = `${path(repo)}/${issue.isPull ? 'pull' : 'issues'}/${issue.number}`;
  const remove = issue.labels.map((l) => `<form class="inline" method="post" action="${action}"><input type="hidden" name="unlabel" value="${escape(l)}"><button>remove “${escape(l)}”</button></form> `).join('');
  return `<h2>Comment</h2><form method="post" action="${action}"><textarea name="comment" aria-label="Comment"></textarea><button>Comment</button></form>
<h2>Labels</h2>${remove}<form method="post" action="${action}"><input name="label" aria-label="Label" value="poppo"><button>Add label</button></form>`;
}

function issuePage(rig, repo, number) {
  const issue = repo.issues[number];
  if (!issue) return null;
  return `<h1>${escape(issue.title)} <span>#${issue.number}</span></h1>${labels(repo, issue)}${box(rig, repo, issue)}${reactions(issue)}${comments(rig, repo, number)}${talk(repo, issue)}`;
}

function pullPage(rig, repo, number) {
  const { state } = rig;
  const pull = pullOf(state, repo, number, true);
  const diff = escape(state.git(repo, 'diff', `${pull.base}...${pull.head}`)).replace(/^(\+.*)$/gm, '<span class="add">$1</span>').replace(/^(-.*)$/gm, '<span class="del">$1</span>');
  const log = escape(state.git(repo, 'log', '--format=%h %an: %s', `${pull.base}..${pull.head}`));
  return `<h1>${escape(pull.title)} <span>#${pull.number}</span></h1><p>${pull.draft ? 'Draft · ' : ''}${escape(pull.head)} → ${escape(pull.base)}</p>${box(rig, repo, { ...pull, login: pull.user.login })}${comments(rig, repo, number)}<h2>Commits</h2><pre>${log}</pre><h2>Changes</h2><pre>${diff}</pre>${talk(repo, repo.issues[number])}`;
}
