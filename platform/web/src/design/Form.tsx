/**
 * Small forms of native fields. What the attributes ask of a field (required, pattern, min, …) is looked
 * at when the form is sent, and what is wrong is said under the field in the language of the page: the
 * browser's own bubbles speak the browser's.
 */
import {
  createContext,
  type FormEvent,
  type ReactNode,
  useContext,
  useEffect,
  useId,
  useState,
} from 'react'
import { type Translate, useT } from '../i18n/t'

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement

type Problems = Record<string, string>

const Wrong = createContext<Problems>({})

function isEmpty(control: Control): boolean {
  return control.type === 'password' ? control.value === '' : control.value.trim() === ''
}

/** What is wrong with a field, as a sentence; null when nothing is. */
function problemOf(control: Control, t: Translate): string | null {
  const { validity } = control
  if (validity.badInput && control.type === 'datetime-local') return t('form.moment')
  if (validity.badInput || validity.rangeUnderflow || validity.rangeOverflow) {
    const { min, max } = control as HTMLInputElement
    return t('form.range', { min: Number(min), max: Number(max) })
  }
  if (control.required && isEmpty(control)) return t('form.required')
  if (control instanceof HTMLSelectElement) return null
  const { length } = control.value
  if (length > 0 && length < control.minLength)
    return t('form.too_short', { count: control.minLength })
  if (validity.patternMismatch) return control.dataset.form ?? t('form.not_so')
  return null
}

function controlsOf(form: HTMLFormElement): Control[] {
  return [...form.elements].filter(
    (each): each is Control =>
      (each instanceof HTMLInputElement ||
        each instanceof HTMLTextAreaElement ||
        each instanceof HTMLSelectElement) &&
      each.name !== '' &&
      !each.disabled,
  )
}

export function Form(props: {
  className: string
  onSubmit: (data: FormData) => Promise<void> | void
  /** What the server found wrong: field name to sentence. */
  problems?: Problems
  children: ReactNode
}) {
  const t = useT()
  const { problems } = props
  const [wrong, setWrong] = useState<Problems>({})
  useEffect(() => setWrong(problems ?? {}), [problems])

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const found = controlsOf(form).flatMap((control) => {
      const problem = problemOf(control, t)
      return problem === null ? [] : [{ control, problem }]
    })
    setWrong(Object.fromEntries(found.map(({ control, problem }) => [control.name, problem])))
    if (found[0]) found[0].control.focus()
    else void props.onSubmit(new FormData(form))
  }

  /** What is being mended is right as soon as it is right. */
  const mend = (event: FormEvent<HTMLFormElement>) => {
    const control = event.target as Control
    if (!(control.name in wrong)) return
    const { [control.name]: _was, ...rest } = wrong
    const problem = problemOf(control, t)
    setWrong(problem === null ? rest : { ...rest, [control.name]: problem })
  }

  return (
    <form className={props.className} noValidate onSubmit={submit} onInput={mend}>
      <Wrong.Provider value={wrong}>{props.children}</Wrong.Provider>
    </form>
  )
}

/** What ties an input to its label, its help and what is wrong with it. */
export interface FieldParts {
  id: string
  name: string
  'aria-invalid': true | undefined
  'aria-describedby': string | undefined
}

export function Field(props: {
  name: string
  label: string
  help?: string
  children: (parts: FieldParts) => ReactNode
}) {
  const id = useId()
  const wrong = useContext(Wrong)[props.name]
  const note = wrong ?? props.help
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      {props.children({
        id,
        name: props.name,
        'aria-invalid': wrong === undefined ? undefined : true,
        'aria-describedby': note === undefined ? undefined : `${id}-note`,
      })}
      {note !== undefined && (
        <span
          className={wrong === undefined ? 'field-help' : 'field-error'}
          id={`${id}-note`}
          role={wrong === undefined ? undefined : 'alert'}
        >
          {note}
        </span>
      )}
    </div>
  )
}
