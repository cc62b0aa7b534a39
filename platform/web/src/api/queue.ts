import { api } from './base'
import type { Queue, QueueLimit } from './types'

export const queueApi = api.enhanceEndpoints({ addTagTypes: ['Queue'] }).injectEndpoints({
  endpoints: (build) => ({
    getQueue: build.query<Queue, void>({
      query: () => ({ url: '/api/queue' }),
      providesTags: ['Queue'],
    }),
    pauseQueue: build.mutation<Queue, string>({
      query: (note) => ({ url: '/api/queue/pause', body: { note: note.trim() || null } }),
      invalidatesTags: ['Queue', 'ExecutionList'],
    }),
    resumeQueue: build.mutation<Queue, void>({
      query: () => ({ url: '/api/queue/resume', method: 'POST' }),
      invalidatesTags: ['Queue', 'ExecutionList'],
    }),
    setQueueLimits: build.mutation<Queue, QueueLimit[]>({
      query: (limits) => ({ url: '/api/queue/limits', method: 'PUT', body: { limits } }),
      invalidatesTags: (_result, error) => (error ? [] : ['Queue', 'ExecutionList']),
    }),
  }),
})

export const {
  useGetQueueQuery,
  usePauseQueueMutation,
  useResumeQueueMutation,
  useSetQueueLimitsMutation,
} = queueApi

/** No live event tells of the queue: who shows it asks now and then. */
export const queuePolling = {
  pollingInterval: 15_000,
  skipPollingIfUnfocused: true,
  refetchOnMountOrArgChange: true,
}
