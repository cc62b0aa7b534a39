import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useT } from '../i18n/t'
import { IconButton } from './Button'
import { toastError } from './toast'

export function CopyButton({ text, label }: { text: string; label: string }) {
  const t = useT()
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 2000)
    return () => clearTimeout(timer)
  }, [done])
  return (
    <>
      <IconButton
        label={label}
        onClick={() =>
          void navigator.clipboard.writeText(text).then(() => setDone(true), toastError)
        }
      >
        {done ? <Check size={15} /> : <Copy size={15} />}
      </IconButton>
      <span className="visually-hidden" role="status">
        {done ? t('state.copied') : ''}
      </span>
    </>
  )
}
