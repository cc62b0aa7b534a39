/** A filter that writes to the address a moment after the typing stops. */
import { Search } from 'lucide-react'
import { useEffect, useId, useRef, useState } from 'react'
import { useKeys } from '../keys/useKeys'

const settleMs = 300

export function SearchField(props: {
  label: string
  /** What may be typed, in few words. */
  hint: string
  value: string
  onChange: (value: string) => void
}) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState(props.value)
  const sent = useRef(props.value)
  const { onChange, value } = props

  useEffect(() => {
    if (value !== sent.current) setText(value) // the address changed by other means (back, clear)
    sent.current = value
  }, [value])

  useEffect(() => {
    if (text === sent.current) return
    const timer = setTimeout(() => {
      sent.current = text
      onChange(text)
    }, settleMs)
    return () => clearTimeout(timer)
  }, [text, onChange])

  useKeys('list', [{ keys: '/', label: 'keys.filter', run: () => input.current?.focus() }])

  return (
    <div className="search">
      <Search size={15} aria-hidden="true" />
      <label className="visually-hidden" htmlFor={id}>
        {props.label}
      </label>
      <input
        ref={input}
        id={id}
        className="input"
        type="search"
        placeholder={props.hint}
        value={text}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
      <kbd aria-hidden="true">/</kbd>
    </div>
  )
}
