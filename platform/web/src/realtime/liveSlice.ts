/** How the live connection is, for the shell and for polling. */
import { createSlice, type PayloadAction } from '@reduxjs/toolkit'
import type { LiveState } from './socket'

export interface LiveSliceState {
  connection: LiveState
  /** When the connection was last known to be good; null before the first time. */
  lastLiveAt: number | null
}

export const liveSlice = createSlice({
  name: 'live',
  initialState: { connection: { name: 'idle' }, lastLiveAt: null } as LiveSliceState,
  reducers: {
    connectionChanged(state, { payload }: PayloadAction<{ connection: LiveState; at: number }>) {
      if (payload.connection.name === 'live' || state.connection.name === 'live')
        state.lastLiveAt = payload.at
      state.connection = payload.connection
    },
  },
})
