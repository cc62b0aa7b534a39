import { createRoot } from 'react-dom/client'
import { App } from './app/App'
import { preferences } from './app/preferences'
import { preloadPage } from './app/routes'
import { makeStore } from './app/store'
import './design/tokens.css'
import './design/base.css'
import { setLanguage } from './i18n/t'
import { startLive } from './realtime/live'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')

preloadPage(location.pathname)
const store = makeStore()
startLive(store)
await setLanguage(preferences().language)
createRoot(root).render(<App store={store} />)
