import { configureStore } from '@reduxjs/toolkit'
import { useSelector } from 'react-redux'
import { api } from '../api/base'
import { watchSession } from '../api/http'
import { sessionExpired, sessionSlice, signedIn } from '../api/session'
import { liveSlice } from '../realtime/liveSlice'

export function makeStore() {
  const store = configureStore({
    reducer: {
      [api.reducerPath]: api.reducer,
      session: sessionSlice.reducer,
      live: liveSlice.reducer,
    },
    middleware: (defaults) => defaults().concat(api.middleware),
  })
  watchSession({
    renewed: (session) => store.dispatch(signedIn(session.user)),
    ended: () => store.dispatch(sessionExpired()),
  })
  return store
}

export type Store = ReturnType<typeof makeStore>
export type RootState = ReturnType<Store['getState']>
export const useAppSelector = useSelector.withTypes<RootState>()
