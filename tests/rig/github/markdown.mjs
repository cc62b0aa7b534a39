// Markdown as GitHub shows it in issues and comments: line ends are kept, addresses, #numbers and @names become links.
// Of raw HTML only a few tags without attributes come through, the rest is shown as text.
import MarkdownIt from 'markdown-it';

const TAGS = /&lt;(\/?(?:details|summary|sub|sup|b|i|br))&gt;/g;
const REFERENCE = /(?<![\w/&])(?:#(\d+)|@([a-z\d](?:[a-z\d-]{0,38})))(?![\w-])/gi;

const md = new MarkdownIt({ html: true, linkify: true, breaks: true });
const allow = (tokens, at) => md.utils.escapeHtml(tokens[at].content.replace(/<!--[\s\S]*?(?:-->|$)/g, '')).replace(TAGS, '<$1>');
md.renderer.rules.html_block = allow;
md.renderer.rules.html_inline = allow;
md.core.ruler.push('references', (state) => {
  for (const block of state.tokens.filter((t) => t.type === 'inline')) block.children = block.children.flatMap(spread(state));
});

// Pieces of a text, with links between them. Not inside a link.
function spread(state) {
  let depth = 0;
  return (token, index) => {
    if (token.type === 'link_open') depth += 1;
    if (token.type === 'link_close') depth -= 1;
    if (token.type !== 'text' || depth) return [token];
    const pieces = [];
    let text = index === 0 ? token.content.replace(/^\[ \] /, '☐ ').replace(/^\[x\] /i, '☑ ') : token.content;
    let end = 0;
    for (const found of text.matchAll(REFERENCE)) {
      const href = state.env.address(found[1], found[2]);
      if (!href) continue;
      pieces.push(plain(state, text.slice(end, found.index)), ...link(state, href, found[0]));
      end = found.index + found[0].length;
    }
    return [...pieces, plain(state, text.slice(end))];
  };
}

function plain(state, content) {
  const token = new state.Token('text', '', 0);
  token.content = content;
  return token;
}

function link(state, href, content) {
  const open = new state.Token('link_open', 'a', 1);
  open.attrs = [['href', href]];
  return [open, plain(state, content), new state.Token('link_close', 'a', -1)];
}

// address(number, login) gives a page, or null where there is none.
export const renderMarkdown = (text, address = () => null) => md.render(String(text ?? ''), { address });
