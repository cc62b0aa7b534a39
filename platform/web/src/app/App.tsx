import { StrictMode, useEffect } from 'react'
import { Provider } from 'react-redux'
import { BrowserRouter } from 'react-router'
import { Toasts } from '../design/toast'
import { handleKey } from '../keys/registry'
import { ErrorBoundary } from './ErrorBoundary'
import { Gate } from './Gate'
import { preferences } from './preferences'
import type { Store } from './store'

export function App({ store }: { store: Store }) {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => handleKey(event, preferences().keys === 'on')
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
  return (
    <StrictMode>
      <Provider store={store}>
        <BrowserRouter>
          <ErrorBoundary>
            <Gate />
          </ErrorBoundary>
          <Toasts />
        </BrowserRouter>
      </Provider>
    </StrictMode>
  )
}
