/** What the server found wrong with a project, at the fields it is about. */
import type { UseFormReturn } from 'react-hook-form'
import { describe, describeField, isApiError } from '../api/problem'
import type { Translate } from '../i18n/t'
import { formField, type ProjectForm } from './project'

/** False: something of it belongs to no field and must be shown elsewhere. */
export function showFindings(
  form: UseFormReturn<ProjectForm>,
  error: unknown,
  t: Translate,
): boolean {
  if (!isApiError(error)) return false
  const findings = error.errors.map((each) => ({
    field: formField(each.field),
    message: describeField(each, t),
  }))
  if (findings.length === 0 && error.field)
    findings.push({ field: formField(error.field), message: describe(error, t) })
  let first = true
  for (const { field, message } of findings) {
    if (field === null) continue
    form.setError(field, { type: 'server', message }, { shouldFocus: first })
    first = false
  }
  return findings.length > 0 && findings.every(({ field }) => field !== null)
}
