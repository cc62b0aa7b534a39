// The tests' back door to the stand-in: /_rig/… makes people, repositories, issues, labels, comments and trouble,
// and tells what happened. Every call is POST with a JSON body or a plain GET.
export function control(rig, url, method, raw, response) {
  const { state } = rig;
  const body = raw ? JSON.parse(raw) : {};
  const repo = body.repo ? state.repo(...body.repo.split('/')) : null;
  const actions = {
    'GET state': () => state.data,
    'GET requests': () => rig.requests,
    'GET violations': () => rig.violations,
    'POST user': () => state.addUser(body.login, body),
    'POST repo': () => state.addRepo(body.owner, body.name, body),
    'POST collaborator': () => {
      if (body.permission) repo.collaborators[body.login] = body.permission;
      else delete repo.collaborators[body.login];
    },
    'POST issue': () => state.addIssue(repo, body.login, body),
    'POST edit': () => Object.assign(repo.issues[body.number], body.change, { updated_at: state.now() }),
    'POST label': () => state.label(repo, body.number, body.label, body.login),
    'POST unlabel': () => state.unlabel(repo, body.number, body.label, body.login),
    'POST comment': () => state.addComment(repo, body.number, body.login, body.body),
    'POST commit': () => ({ sha: state.commit(repo, body.branch ?? repo.default_branch, body.files, body.message ?? 'change') }),
    'POST change': () => Object.assign(repo, body.change),
    'POST rename-branch': () => {
      state.git(repo, 'branch', '-m', repo.default_branch, body.to);
      state.git(repo, 'symbolic-ref', 'HEAD', `refs/heads/${body.to}`);
      repo.default_branch = body.to;
    },
    'POST move': () => {
      state.data.moved[body.repo.toLowerCase()] = repo.id;
      delete state.data.repos[body.repo.toLowerCase()];
      const [owner, name] = body.to.split('/');
      state.moveGit(repo, owner, name);
      state.data.repos[body.to.toLowerCase()] = Object.assign(repo, { owner, name });
    },
    'POST revoke': () => delete state.data.tokens[body.token],
    'POST faults': () => rig.faults.add(body),
    'POST lacks': () => void (rig.lacks = body.patterns),
    'POST calm': () => {
      rig.faults.clear();
      rig.lacks = [];
    },
    'POST git': () => ({ out: state.git(repo, ...body.args) }),
  };
  const act = actions[`${method} ${url.pathname.slice('/_rig/'.length)}`];
  response.writeHead(act ? 200 : 404, { 'content-type': 'application/json' });
  const made = act?.() ?? {};
  if (method === 'POST') state.save();
  response.end(JSON.stringify(made));
}
