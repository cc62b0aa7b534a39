/** Who is signed in. The token itself is not here (api/http.ts keeps it). */
import { createSlice, type PayloadAction } from '@reduxjs/toolkit'
import { callPublic, jsonBody, renewSession, setAccessToken } from './http'
import { isApiError } from './problem'
import type { LoginRequest, Me, Session, SetupRequest, SetupState } from './types'

export type SessionStatus =
  | 'unknown' // not asked yet
  | 'none' // nobody is signed in
  | 'active'
  | 'expired' // was signed in: sign in again over the page, nothing is lost

export interface SessionState {
  status: SessionStatus
  user: Me | null
}

const initialState: SessionState = { status: 'unknown', user: null }

export const sessionSlice = createSlice({
  name: 'session',
  initialState,
  reducers: {
    signedIn(state, { payload }: PayloadAction<Me>) {
      state.status = 'active'
      state.user = payload
    },
    sessionExpired(state) {
      if (state.status === 'active') state.status = 'expired'
      else if (state.status === 'unknown') state.status = 'none'
    },
    signedOut(state) {
      state.status = 'none'
      state.user = null
    },
    languageChanged(state, { payload }: PayloadAction<Me['language']>) {
      if (state.user) state.user.language = payload
    },
  },
})

export const { signedIn, sessionExpired, signedOut, languageChanged } = sessionSlice.actions

async function begin(response: Response): Promise<Me> {
  const session = (await response.json()) as Session
  setAccessToken(session.access_token)
  return session.user
}

export async function login(request: LoginRequest): Promise<Me> {
  return begin(await callPublic('/api/auth/login', jsonBody(request)))
}

export async function finishSetup(request: SetupRequest): Promise<Me> {
  return begin(await callPublic('/api/setup', jsonBody(request)))
}

export async function setupState(): Promise<SetupState> {
  return (await (await callPublic('/api/setup')).json()) as SetupState
}

/** The session of the refresh cookie, or null when there is none. Throws when nobody answers. */
export async function restoreSession(): Promise<Me | null> {
  try {
    return (await renewSession()).user
  } catch (error) {
    if (isApiError(error) && (error.status === 401 || error.status === 403)) return null
    throw error
  }
}

export async function logout(): Promise<void> {
  await callPublic('/api/auth/logout', { method: 'POST' })
  setAccessToken(null)
}
