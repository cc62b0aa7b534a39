/** Changing the language: for this page at once, for this browser, and for the account. */
import { languageChanged } from '../api/session'
import { systemApi } from '../api/system'
import { toastError } from '../design/toast'
import { currentLanguage, type Language, setLanguage } from '../i18n/t'
import { setPreference } from './preferences'
import type { Store } from './store'

export async function showLanguage(language: Language): Promise<void> {
  if (language !== currentLanguage()) await setLanguage(language)
  setPreference('language', language)
}

export async function chooseLanguage(store: Store, language: Language): Promise<void> {
  await showLanguage(language)
  if (store.getState().session.status !== 'active') return
  store.dispatch(languageChanged(language))
  const result = await store.dispatch(systemApi.endpoints.updateMe.initiate({ language }))
  if (result.error) toastError(result.error)
}
