// Brings GitHub's official OpenAPI description into a cache folder: one file out of the npm package
// @octokit/openapi, which is half a gigabyte when installed whole.
//
// node github/fetch-openapi.mjs FOLDER → FOLDER/github-openapi-<version>.json
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

export const VERSION = '23.0.2';

export function openapiFile(folder) {
  return path.join(folder, `github-openapi-${VERSION}.json`);
}

export function fetchOpenapi(folder) {
  const file = openapiFile(folder);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(path.join(folder, 'openapi-'));
  try {
    const tarball = execFileSync('npm', ['pack', '--silent', `@octokit/openapi@${VERSION}`], { cwd: scratch, encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', tarball, 'package/generated/api.github.com.json'], { cwd: scratch });
    renameSync(path.join(scratch, 'package/generated/api.github.com.json'), file);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return file;
}

if (import.meta.filename === process.argv[1]) console.log(fetchOpenapi(process.argv[2]));
