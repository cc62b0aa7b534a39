/** Fields of long forms: MUI's inputs, our labels above them, one way to say what is wrong. */
import Autocomplete from '@mui/material/Autocomplete'
import Chip from '@mui/material/Chip'
import FormControl from '@mui/material/FormControl'
import FormHelperText from '@mui/material/FormHelperText'
import InputAdornment from '@mui/material/InputAdornment'
import MenuItem from '@mui/material/MenuItem'
import OutlinedInput from '@mui/material/OutlinedInput'
import Select from '@mui/material/Select'
import Switch from '@mui/material/Switch'
import TextField from '@mui/material/TextField'
import { Eye, EyeOff } from 'lucide-react'
import { type ReactNode, useId, useState } from 'react'
import { type Control, useController } from 'react-hook-form'
import { IconButton } from '../design/Button'
import { type Key, type Translate, useT } from '../i18n/t'
import type { FieldName, ProjectForm } from './project'
import './form.css'

export type FormControlOf = Control<ProjectForm>

/** "form.range|1|100" → the sentence; a sentence of the server stays as it is. */
export function errorText(message: string | undefined, t: Translate): string | null {
  if (!message) return null
  const [key = '', ...numbers] = message.split('|')
  if (!key.startsWith('form.')) return message
  return t(key as Key, {
    min: Number(numbers[0]),
    max: Number(numbers[1]),
    count: Number(numbers[0]),
  })
}

interface Common {
  control: FormControlOf
  name: FieldName
  label: string
  help?: ReactNode
}

function Frame(props: {
  id: string
  label: string
  help?: ReactNode
  error: string | null
  children: ReactNode
}) {
  return (
    <FormControl fullWidth error={props.error !== null}>
      <label className="form-label" htmlFor={props.id} id={`${props.id}-label`}>
        {props.label}
      </label>
      {props.children}
      {(props.error !== null || props.help) && (
        <FormHelperText id={`${props.id}-help`} component="div">
          {props.error !== null && <div className="form-error">{props.error}</div>}
          {props.help}
        </FormHelperText>
      )}
    </FormControl>
  )
}

export function TextRow(
  props: Common & {
    placeholder?: string
    unit?: string
    mono?: boolean
    numeric?: boolean
    lines?: number
    required?: boolean
    end?: ReactNode
    /** The id of a datalist. */
    list?: string
  },
) {
  const t = useT()
  const id = useId()
  const { field, fieldState } = useController({ control: props.control, name: props.name })
  const error = errorText(fieldState.error?.message, t)
  return (
    <Frame id={id} label={props.label} help={props.help} error={error}>
      <OutlinedInput
        id={id}
        name={field.name}
        inputRef={field.ref}
        value={field.value}
        onChange={field.onChange}
        onBlur={field.onBlur}
        disabled={field.disabled}
        size="small"
        required={props.required}
        placeholder={props.placeholder}
        multiline={props.lines !== undefined}
        minRows={props.lines}
        maxRows={16}
        className={props.mono ? 'mono-input' : undefined}
        endAdornment={
          (props.unit || props.end) && (
            <InputAdornment position="end">{props.unit ?? props.end}</InputAdornment>
          )
        }
        slotProps={{
          input: {
            inputMode: props.numeric ? 'decimal' : undefined,
            list: props.list,
            autoComplete: 'off',
            autoCapitalize: 'none',
            spellCheck: props.lines !== undefined,
            'aria-describedby': `${id}-help`,
            'aria-invalid': error !== null || undefined,
          },
        }}
      />
    </Frame>
  )
}

export function SecretRow(props: Common & { placeholder?: string }) {
  const t = useT()
  const id = useId()
  const [shown, setShown] = useState(false)
  const { field, fieldState } = useController({ control: props.control, name: props.name })
  const error = errorText(fieldState.error?.message, t)
  return (
    <Frame id={id} label={props.label} help={props.help} error={error}>
      <OutlinedInput
        id={id}
        name={field.name}
        inputRef={field.ref}
        value={field.value}
        onChange={field.onChange}
        onBlur={field.onBlur}
        disabled={field.disabled}
        size="small"
        type={shown ? 'text' : 'password'}
        placeholder={props.placeholder}
        className="mono-input"
        endAdornment={
          <InputAdornment position="end">
            <IconButton
              label={shown ? t('secret.hide') : t('secret.show')}
              onClick={() => setShown(!shown)}
            >
              {shown ? <EyeOff size={16} /> : <Eye size={16} />}
            </IconButton>
          </InputAdornment>
        }
        slotProps={{
          input: {
            autoComplete: 'new-password', // a password manager must not fill in the sign-in
            spellCheck: false,
            'aria-describedby': `${id}-help`,
            'aria-invalid': error !== null || undefined,
          },
        }}
      />
    </Frame>
  )
}

export function ChoiceRow(props: Common & { options: { value: string; label: string }[] }) {
  const t = useT()
  const id = useId()
  const { field, fieldState } = useController({ control: props.control, name: props.name })
  return (
    <Frame
      id={id}
      label={props.label}
      help={props.help}
      error={errorText(fieldState.error?.message, t)}
    >
      <Select
        size="small"
        name={field.name}
        value={field.value}
        onChange={field.onChange}
        onBlur={field.onBlur}
        disabled={field.disabled}
        inputRef={field.ref}
        slotProps={{ input: { id } }}
        SelectDisplayProps={{
          'aria-labelledby': `${id}-label ${id}-value`,
          'aria-describedby': `${id}-help`,
          id: `${id}-value`,
        }}
      >
        {props.options.map((option) => (
          <MenuItem key={option.value} value={option.value}>
            {option.label}
          </MenuItem>
        ))}
      </Select>
    </Frame>
  )
}

export function SwitchRow(props: Common) {
  const id = useId()
  const { field } = useController({ control: props.control, name: props.name })
  return (
    <div className="switch-row">
      <Switch
        id={id}
        size="small"
        name={field.name}
        checked={Boolean(field.value)}
        onChange={(event) => field.onChange(event.target.checked)}
        onBlur={field.onBlur}
        disabled={field.disabled}
        slotProps={{ input: { 'aria-describedby': `${id}-help` } }}
      />
      <div>
        <label className="form-label" htmlFor={id}>
          {props.label}
        </label>
        {props.help && (
          <div id={`${id}-help`} className="field-help">
            {props.help}
          </div>
        )}
      </div>
    </div>
  )
}

/** A list of words: type and press Enter, or choose. */
export function WordsRow(props: Common & { suggestions: string[] }) {
  const t = useT()
  const id = useId()
  const { field, fieldState } = useController({ control: props.control, name: props.name })
  return (
    <Frame
      id={id}
      label={props.label}
      help={props.help}
      error={errorText(fieldState.error?.message, t)}
    >
      <Autocomplete
        id={id}
        multiple
        freeSolo
        autoSelect
        size="small"
        options={props.suggestions}
        value={field.value as string[]}
        onChange={(_event, value) => field.onChange(value)}
        onBlur={field.onBlur}
        disabled={field.disabled}
        renderValue={(values, itemProps) =>
          values.map((value, index) => {
            const { key, ...rest } = itemProps({ index })
            return <Chip key={key} size="small" label={value} {...rest} />
          })
        }
        renderInput={(params) => <TextField {...params} className="mono-input" />}
      />
    </Frame>
  )
}
