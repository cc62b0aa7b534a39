// Runs before the first paint, so that neither the theme nor the language flashes.
// The rest of the app reads and writes the same two keys (src/app/preferences.ts).
;(() => {
  const stored = (key) => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null // storage is off: the system's preference it is
    }
  }
  const root = document.documentElement
  const theme = stored('poppo.theme')
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.theme = theme === 'light' || theme === 'dark' ? theme : dark ? 'dark' : 'light'
  const language = stored('poppo.language') || navigator.language || 'en'
  root.lang = language.startsWith('ja') ? 'ja' : 'en'
})()
