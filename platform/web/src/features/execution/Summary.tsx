/** What came of it: question, failure and what happens next, result, attempts. */
import { GitBranch, GitCommitHorizontal, GitPullRequest, MessageCircleQuestion } from 'lucide-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { useGetProjectQuery } from '../../api/projects'
import type { Attempt, Execution, ExecutionStatus, FailureReason } from '../../api/types'
import { CopyButton } from '../../design/CopyButton'
import { ExternalLink } from '../../design/ExternalLink'
import { Notice, Spinner } from '../../design/feedback'
import { Markdown } from '../../design/Markdown'
import { Card } from '../../design/Page'
import { executionLook, Glyph, isFinal, type Look, StatusText } from '../../design/Status'
import { AbsoluteTime, Elapsed } from '../../design/Time'
import { formatCost, formatNumber } from '../../i18n/format'
import { type Key, pick, useLanguage, useT } from '../../i18n/t'
import { NodeName } from '../../parts/NodeName'
import { awaitsPullRequest, getsBranchOnly, useIsOpening } from '../../parts/PullRequest'
import { Waiting } from '../queue/Waiting'
import { Conversation } from './Conversation'

/** Failures whose cure is in the project's settings. */
const curedBySettings = new Set([
  'auth',
  'billing',
  'budget',
  'command',
  'github_auth',
  'github_scope',
  'invalid_settings',
  'max_turns',
  'model',
  'publish_refused',
  'push_rejected',
  'repo_gone',
  'silent',
  'wall_clock',
])

/** The repository's page: of the issue or pull request, else as the project says it. */
function useRepository(execution: Execution): string | null {
  const from = execution.pull_request?.url ?? execution.issue_url
  const project = useGetProjectQuery(execution.project.id, { skip: from !== null })
  return from ? from.replace(/\/(?:pull|issues)\/\d+.*$/, '') : (project.data?.github_url ?? null)
}

const inPath = (branch: string) => encodeURI(branch).replace(/[?#]/g, encodeURIComponent)

function Failure({ execution, reason }: { execution: Execution; reason: FailureReason }) {
  const t = useT()
  const language = useLanguage()
  const waiting = execution.status === 'waiting_quota'
  return (
    <Notice
      tone={waiting ? 'warn' : execution.status === 'cancelled' ? 'off' : 'fail'}
      title={pick(reason, language)}
      action={
        curedBySettings.has(reason.kind) && (
          <Link className="btn btn-small" to={`/projects/${execution.project.id}/settings`}>
            {t('execution.open_settings')}
          </Link>
        )
      }
    >
      {reason.next && <p>{pick(reason.next, language)}</p>}
      {reason.detail && (
        <details className="failure-detail">
          <summary>{t('execution.detail')}</summary>
          <pre>{reason.detail}</pre>
        </details>
      )}
    </Notice>
  )
}

function HowToAnswer({ issue }: { issue: string | null }) {
  const t = useT()
  if (!issue) return <p className="muted">{t('execution.question_lost')}</p>
  return (
    <>
      <p className="muted">{t('execution.question_how')}</p>
      <ExternalLink className="btn btn-primary" href={`${issue}#issue-comment-box`}>
        {t('execution.answer')}
      </ExternalLink>
    </>
  )
}

function Question({ execution, text }: { execution: Execution; text: string }) {
  const t = useT()
  return (
    <section className="card question" aria-label={t('execution.question')}>
      <div className="card-head">
        <MessageCircleQuestion size={18} aria-hidden="true" />
        <h2>{t('execution.question')}</h2>
      </div>
      <div className="card-body">
        <Markdown text={text} />
        {execution.status.startsWith('waiting') && <HowToAnswer issue={execution.issue_url} />}
      </div>
    </section>
  )
}

function ResultRow({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <li>
      {icon}
      <span className="break">{children}</span>
    </li>
  )
}

/** Between the push and the link. */
function PullRequestToCome({ execution }: { execution: Execution }) {
  const t = useT()
  const icon = <GitPullRequest size={17} aria-hidden="true" />
  if (!useIsOpening(execution))
    return (
      <ResultRow icon={icon}>
        <span className="muted">{t('execution.pull_request_late')}</span>
        <Link to={`/executions/${execution.id}/log`}>{t('execution.tab_log')}</Link>
      </ResultRow>
    )
  return (
    <ResultRow icon={icon}>
      <span className="status-text" data-tone="run" role="status">
        <Spinner /> {t('execution.pull_request_opening')}
      </span>
    </ResultRow>
  )
}

/** Nobody is told of work without an issue, so nothing is opened for it: the person who asked for it does. */
function BranchOnly({ repository, branch }: { repository: string | null; branch: string }) {
  const t = useT()
  return (
    <ResultRow icon={<GitPullRequest size={17} aria-hidden="true" />}>
      <span className="muted">{t('execution.branch_only')}</span>{' '}
      {repository && (
        <ExternalLink href={`${repository}/compare/${inPath(branch)}?expand=1`}>
          {t('execution.open_pull_request')}
        </ExternalLink>
      )}
    </ResultRow>
  )
}

function Result({ execution }: { execution: Execution }) {
  const t = useT()
  const { pull_request, branch, head_sha, changes } = execution
  const repository = useRepository(execution)
  const changed = changes.files > 0
  if (!pull_request && !head_sha && !execution.no_changes) return null
  return (
    <Card title={t('execution.result')}>
      <ul className="result card-body">
        {pull_request && (
          <ResultRow icon={<GitPullRequest size={17} aria-hidden="true" />}>
            <ExternalLink href={pull_request.url}>
              {t('execution.pull_request', { number: String(pull_request.number) })}
            </ExternalLink>
          </ResultRow>
        )}
        {awaitsPullRequest(execution) && <PullRequestToCome execution={execution} />}
        {getsBranchOnly(execution) && branch && (
          <BranchOnly repository={repository} branch={branch} />
        )}
        {branch && head_sha && (
          <ResultRow icon={<GitBranch size={17} aria-hidden="true" />}>
            {repository ? (
              <ExternalLink href={`${repository}/tree/${inPath(branch)}`}>
                <code>{branch}</code>
              </ExternalLink>
            ) : (
              <code>{branch}</code>
            )}
            <CopyButton text={branch} label={t('execution.copy_branch')} />
          </ResultRow>
        )}
        {head_sha && (
          <ResultRow icon={<GitCommitHorizontal size={17} aria-hidden="true" />}>
            <code>{head_sha.slice(0, 10)}</code>
            {changed && (
              <span className="changes">
                {t('execution.files', { count: changes.files })}{' '}
                <span className="plus">+{formatNumber(changes.insertions)}</span>{' '}
                <span className="minus">−{formatNumber(changes.deletions)}</span>
              </span>
            )}
          </ResultRow>
        )}
        {execution.no_changes && (
          <ResultRow icon={<Glyph shape="slash" />}>{t('execution.no_changes')}</ResultRow>
        )}
      </ul>
    </Card>
  )
}

const attemptLook: Record<Attempt['status'], Look> = {
  assigned: executionLook.assigned,
  accepted: executionLook.assigned,
  preparing: executionLook.preparing,
  running: executionLook.running,
  publishing: { tone: 'run', shape: 'quarter', label: 'attempt.publishing' },
  ended: { tone: 'off', shape: 'check', label: 'attempt.ended' },
  lost: { tone: 'warn', shape: 'unknown', label: 'attempt.lost' },
}

function outcomeLook(attempt: Attempt): Look {
  const outcome = attempt.outcome
  if (outcome && outcome in executionLook)
    return executionLook[outcome as keyof typeof executionLook]
  return attemptLook[attempt.status]
}

function Attempts({ execution }: { execution: Execution }) {
  const t = useT()
  const language = useLanguage()
  const attempts = execution.attempts ?? []
  if (attempts.length === 0) return null
  return (
    <Card title={t('attempt.title')}>
      <div className="table-wrap">
        <table className="table table-cards" aria-label={t('attempt.title')}>
          <thead>
            <tr>
              <th scope="col">{t('attempt.number')}</th>
              <th scope="col" className="cell-title">
                {t('attempt.outcome')}
              </th>
              <th scope="col">{t('execution.node')}</th>
              <th scope="col">{t('execution.started')}</th>
              <th scope="col" className="num">
                {t('execution.duration')}
              </th>
              <th scope="col" className="num">
                {t('execution.cost')}
              </th>
            </tr>
          </thead>
          <tbody>
            {attempts.map((attempt) => (
              <tr key={attempt.number}>
                <td data-label={t('attempt.number')}>{attempt.number}</td>
                <td className="cell-title">
                  <StatusText look={outcomeLook(attempt)} />
                  {attempt.reason && (
                    <div className="muted row-note">{pick(attempt.reason, language)}</div>
                  )}
                </td>
                <td>
                  <NodeName id={attempt.node_id} />
                </td>
                <td>
                  <AbsoluteTime at={attempt.started_at} />
                </td>
                <td className="num">
                  <Elapsed start={attempt.started_at} end={attempt.ended_at} />
                </td>
                <td className={attempt.cost_usd === null ? 'num wide-only' : 'num'}>
                  {formatCost(attempt.cost_usd)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

/** What is reported is all of the work, or as much of it as there is. */
function summaryTitle(status: ExecutionStatus): Key {
  if (status === 'succeeded') return 'execution.summary'
  return isFinal(status) ? 'execution.summary_ended' : 'execution.summary_so_far'
}

export function Summary({ execution }: { execution: Execution }) {
  const t = useT()
  const { reason, question, summary, status } = execution
  return (
    <>
      <Waiting execution={execution} />
      {reason && status !== 'succeeded' && status !== 'queued' && (
        <Failure execution={execution} reason={reason} />
      )}
      {question && <Question execution={execution} text={question} />}
      <Result execution={execution} />
      {summary && (
        <Card title={t(summaryTitle(status))}>
          <div className="card-body">
            <Markdown text={summary} />
          </div>
        </Card>
      )}
      {!summary && !isFinal(status) && !question && (
        <Card title={t(summaryTitle(status))}>
          <p className="card-body muted">{t('execution.summary_later')}</p>
        </Card>
      )}
      <Conversation id={execution.id} />
      <Attempts execution={execution} />
    </>
  )
}
