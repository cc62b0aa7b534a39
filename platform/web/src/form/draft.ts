/**
 * What is typed survives leaving the page: kept for the tab, without secrets, until it is saved. So
 * nobody has to be asked "leave without saving?".
 */
import { useEffect } from 'react'
import type { UseFormReturn } from 'react-hook-form'
import { type FieldName, type ProjectForm, secretFields } from './project'

export function readDraft(key: string): Partial<ProjectForm> | null {
  try {
    const text = sessionStorage.getItem(`poppo.draft.${key}`)
    return text ? (JSON.parse(text) as Partial<ProjectForm>) : null
  } catch {
    return null // storage is off, or somebody wrote something else there
  }
}

export function dropDraft(key: string): void {
  try {
    sessionStorage.removeItem(`poppo.draft.${key}`)
  } catch {
    // Storage is off: there is no draft either.
  }
}

function writeDraft(key: string, draft: Partial<ProjectForm>): void {
  try {
    sessionStorage.setItem(`poppo.draft.${key}`, JSON.stringify(draft))
  } catch {
    // Storage is off or full: the form works without a draft.
  }
}

/** Keeps what differs from the form's defaults. */
export function useDraft(key: string, form: UseFormReturn<ProjectForm>): void {
  useEffect(
    () =>
      form.subscribe({
        formState: { values: true, dirtyFields: true },
        callback: ({ values }) => {
          const dirty = Object.keys(form.formState.dirtyFields) as FieldName[]
          const kept = dirty.filter((name) => !secretFields.includes(name))
          if (kept.length === 0) dropDraft(key)
          else writeDraft(key, Object.fromEntries(kept.map((name) => [name, values[name]])))
        },
      }),
    [key, form],
  )
}
