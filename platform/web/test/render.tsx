/** Renders the app at an address, signed in, as a person would meet it. */
import { render } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { Provider } from 'react-redux'
import { MemoryRouter, useLocation } from 'react-router'
import { Gate } from '../src/app/Gate'
import { makeStore } from '../src/app/store'
import { Toasts } from '../src/design/toast'

let address = ''

function Address() {
  const { pathname, search, hash } = useLocation()
  address = pathname + search + hash
  return null
}

export function renderApp(path: string) {
  const store = makeStore()
  const view = render(
    <Provider store={store}>
      <MemoryRouter initialEntries={[path]}>
        <Gate />
        <Toasts />
        <Address />
      </MemoryRouter>
    </Provider>,
  )
  return { ...view, store, user: userEvent.setup(), address: () => address }
}
