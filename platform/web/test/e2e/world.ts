/**
 * What the journeys run in: the stand-ins of GitHub and of the Messages API, and an installation of
 * the real programs in a folder of its own. POPPO_TEST_PREFIX names a staged installation (`./dev
 * test` makes one); POPPO_TEST_URL and POPPO_TEST_SETUP_TOKEN use a platform that runs already.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const token = 'ghp_JourneyTokenOnlyForStandIns0123456789abc'
export const key = 'sk-ant-journey-OnlyForStandIns0123456789abc'

const rig = new URL('../../../../tests/rig', import.meta.url).pathname

export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadline = 30_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + deadline
  let last: unknown
  while (Date.now() < end) {
    try {
      last = await probe()
      if (last) return last as NonNullable<T>
    } catch (error) {
      last = error
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error(`not within ${deadline} ms: ${what}; last: ${String(last)}`)
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer()
    probe.on('error', fail)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** A stand-in as a process of its own; its first line says where it serves. */
class StandInProcess {
  private constructor(
    private readonly process: ChildProcess,
    readonly url: string,
  ) {}

  static async start(command: string[], member: string): Promise<StandInProcess> {
    const child = spawn(process.execPath, command, {
      cwd: rig,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const line = await new Promise<string>((done, fail) => {
      child.once('exit', (code) => fail(new Error(`stand-in ended with ${code}: ${command}`)))
      if (child.stdout) createInterface({ input: child.stdout }).once('line', done)
    })
    return new StandInProcess(child, JSON.parse(line)[member])
  }

  async control<T = unknown>(action: string, body: object): Promise<T> {
    const answer = await fetch(`${this.url}/_rig/${action}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${action}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  async ask<T>(name: string): Promise<T> {
    return (await (await fetch(`${this.url}/_rig/${name}`)).json()) as T
  }

  stop(): void {
    this.process.kill()
  }
}

interface RepoState {
  pulls: Record<string, { number: number; draft: boolean }>
  comments: { number: number; body: string }[]
  issues: Record<string, { labels: string[] }>
}

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'poppo-journey-'))
  private launcher: ChildProcess | null = null
  private port = 0
  url = ''

  private constructor(
    private readonly github: StandInProcess,
    private readonly messages: StandInProcess,
    private readonly githubFolder: string,
  ) {}

  static async start(): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'poppo-github-'))
    const github = await StandInProcess.start(
      ['github/server.mjs', '--state', folder],
      'github_url',
    )
    const messages = await StandInProcess.start(
      ['messages/server.mjs', '--key', key, '--pace', '5'],
      'messages_url',
    )
    await github.control('user', { login: 'octo', token })
    await github.control('repo', { owner: 'octo', name: 'app', files: { 'README.md': '# app\n' } })
    const world = new World(github, messages, folder)
    chmodSync(world.folder, 0o755)
    world.port = await freePort()
    world.url = process.env.POPPO_TEST_URL ?? `http://127.0.0.1:${world.port}`
    if (!process.env.POPPO_TEST_URL) await world.launch()
    return world
  }

  private async launch(): Promise<void> {
    const prefix = process.env.POPPO_TEST_PREFIX
    if (!prefix) throw new Error('POPPO_TEST_PREFIX must name a staged installation')
    const settings = {
      listen: `127.0.0.1:${this.port}`,
      'data-dir': `${this.folder}/data`,
      'key-file': `${this.folder}/keys/master.key`,
      'run-dir': `${this.folder}/run`,
      'github-api-url': this.github.url,
      'github-git-url': this.github.url,
      'anthropic-base-url': this.messages.url,
      'min-poll-interval': '200ms',
      'github-write-gap': '0ms',
      'uid-base': String(this.firstUid),
      'port-base': String(12_000 + (this.port % 2000) * 10),
    }
    const log = openSync(`${this.folder}/platform.log`, 'a')
    this.launcher = spawn(
      `${prefix}/bin/poppo-platform`,
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      {
        cwd: '/',
        stdio: ['ignore', log, log],
        env: { PATH: process.env.PATH, LANG: 'C.UTF-8', HOME: this.folder },
      },
    )
    await until('the platform serves', async () => {
      if (this.launcher?.exitCode !== null) throw new Error(this.log().slice(-3000))
      return (await fetch(`${this.url}/readyz`)).ok
    })
  }

  log(): string {
    return readFileSync(`${this.folder}/platform.log`, 'utf8')
  }

  setupToken(): Promise<string> {
    if (process.env.POPPO_TEST_SETUP_TOKEN)
      return Promise.resolve(process.env.POPPO_TEST_SETUP_TOKEN)
    return until('the setup link is printed', () => /\/setup#(\S+)/.exec(this.log())?.[1] ?? '')
  }

  async issue(title: string, body = ''): Promise<number> {
    const repo = 'octo/app'
    const made = await this.github.control<{ number: number }>('issue', {
      repo,
      login: 'octo',
      title,
      body,
    })
    await this.github.control('label', {
      repo,
      number: made.number,
      label: 'poppo',
      login: 'octo',
    })
    return made.number
  }

  async comment(number: number, body: string): Promise<void> {
    await this.github.control('comment', { repo: 'octo/app', number, login: 'octo', body })
  }

  async git(...args: string[]): Promise<string> {
    return (await this.github.control<{ out: string }>('git', { repo: 'octo/app', args })).out
  }

  async repo(): Promise<RepoState> {
    const state = await this.github.ask<{ repos: Record<string, RepoState> }>('state')
    const repo = state.repos['octo/app']
    if (!repo) throw new Error('the repository is gone')
    return repo
  }

  private get firstUid(): number {
    return 1_910_000_000 + this.port * 10_000
  }

  /** Pids of this installation's processes: by its folder in what they run or where, and by the users
   *  of its projects (only root gives them any). */
  processes(name?: string): number[] {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .filter((pid) => {
        try {
          if (name && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== name.slice(0, 15))
            return false
          const { uid } = statSync(`/proc/${pid}`)
          if (uid >= this.firstUid && uid < this.firstUid + 6000) return true
          const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          if (words.includes(this.folder)) return true
          return readlinkSync(`/proc/${pid}/cwd`).startsWith(this.folder)
        } catch {
          return false // ended meanwhile
        }
      })
  }

  /** Kills the server process; the launcher starts it again. */
  killServer(): void {
    const serving = this.processes('poppo-platform').filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('serve'),
    )
    if (serving.length === 0) throw new Error('no server process')
    for (const pid of serving) process.kill(pid, 'SIGKILL')
  }

  async stop(): Promise<void> {
    const { launcher } = this
    if (launcher && launcher.exitCode === null) {
      const ended = new Promise((done) => launcher.once('exit', done))
      launcher.kill('SIGTERM')
      await Promise.race([ended, new Promise((done) => setTimeout(done, 20_000))])
    }
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended between the look and the kill.
      }
    }
    this.github.stop()
    this.messages.stop()
    for (const folder of [this.folder, this.githubFolder])
      rmSync(folder, { recursive: true, force: true })
  }
}
