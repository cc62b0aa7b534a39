import type { Execution } from '../../api/types'
import { executionLook, Glyph, type Look, type Shape, type Tone } from '../../design/Status'
import { Elapsed, Worked } from '../../design/Time'
import { type Key, useT } from '../../i18n/t'
import { type Step, type StepName, type StepState, steps } from './steps'

const labels: Record<StepName, Key> = {
  queue: 'step.queue',
  prepare: 'step.prepare',
  work: 'step.work',
  publish: 'step.publish',
  done: 'step.done',
}

const looks: Record<StepState, { tone: Tone; shape: Shape; label: Key }> = {
  done: { tone: 'ok', shape: 'check', label: 'step.state.done' },
  now: { tone: 'run', shape: 'play', label: 'step.state.now' },
  ahead: { tone: 'off', shape: 'dashed', label: 'step.state.ahead' },
  failed: { tone: 'fail', shape: 'cross', label: 'step.state.failed' },
  cancelled: { tone: 'off', shape: 'slash', label: 'step.state.cancelled' },
  waiting: { tone: 'warn', shape: 'question', label: 'step.state.waiting' },
  skipped: { tone: 'off', shape: 'slash', label: 'step.state.skipped' },
}

function look(step: Step, execution: Execution): Look {
  if (step.state === 'now' && step.name === 'queue')
    return { ...looks.now, shape: 'dashed', tone: 'queue' }
  if (step.state === 'waiting')
    return { ...looks.waiting, shape: executionLook[execution.status].shape }
  return looks[step.state]
}

function StepTime({ step, execution }: { step: Step; execution: Execution }) {
  const { created_at, started_at, completed_at } = execution
  if (step.name === 'queue') return <Elapsed start={created_at} end={started_at ?? completed_at} />
  if (step.name === 'work' && step.state !== 'ahead' && step.state !== 'skipped')
    return <Worked execution={execution} />
  return <>{step.state === 'ahead' || step.state === 'skipped' ? '—' : ' '}</>
}

export function Steps({ execution }: { execution: Execution }) {
  const t = useT()
  return (
    <section className="card" aria-label={t('step.label')}>
      <ol className="steps">
        {steps(execution).map((step) => {
          const { tone, shape, label } = look(step, execution)
          return (
            <li key={step.name} data-tone={tone} data-state={step.state}>
              <span className="step-name">
                <Glyph shape={shape} />
                {t(labels[step.name])}
                <span className="visually-hidden"> ({t(label)})</span>
              </span>
              <span className="step-bar" />
              <span className="step-time">
                <StepTime step={step} execution={execution} />
              </span>
            </li>
          )
        })}
      </ol>
    </section>
  )
}
