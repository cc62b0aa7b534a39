import { api } from './base'
import type {
  Execution,
  ExecutionCreate,
  ExecutionPage,
  ExecutionUpdate,
  RemarkPage,
} from './types'

export interface ExecutionFilter {
  project?: string
  status?: string
  q?: string
  cursor?: string
  limit?: number
}

const path = (id: string) => `/api/executions/${encodeURIComponent(id)}`

export const executionsApi = api.injectEndpoints({
  endpoints: (build) => ({
    listExecutions: build.query<ExecutionPage, ExecutionFilter>({
      query: (params) => ({ url: '/api/executions', params: { ...params } }),
      providesTags: ['ExecutionList'],
    }),
    getExecution: build.query<Execution, string>({
      query: (id) => ({ url: path(id) }),
      providesTags: (_result, _error, id) => [{ type: 'Execution', id }],
    }),
    /** What people said to it, newest first: the first page is all a page shows. */
    listRemarks: build.query<RemarkPage, string>({
      query: (id) => ({ url: `${path(id)}/remarks` }),
      providesTags: (_result, _error, id) => [{ type: 'Remarks', id }],
    }),
    createExecution: build.mutation<
      Execution,
      { project: string; body: ExecutionCreate; key: string }
    >({
      query: ({ project, body, key }) => ({
        url: `/api/projects/${encodeURIComponent(project)}/executions`,
        body,
        headers: { 'Idempotency-Key': key },
      }),
      invalidatesTags: (_result, error, { project }) =>
        error ? [] : ['ExecutionList', 'Stats', { type: 'Project', id: project }],
    }),
    /** How urgent it is, while it waits. */
    updateExecution: build.mutation<Execution, { id: string; body: ExecutionUpdate }>({
      query: ({ id, body }) => ({ url: path(id), method: 'PATCH', body }),
      invalidatesTags: (_result, _error, { id }) => [{ type: 'Execution', id }, 'ExecutionList'],
    }),
    cancelExecution: build.mutation<Execution, string>({
      query: (id) => ({ url: `${path(id)}/cancel`, method: 'POST' }),
      invalidatesTags: (_result, _error, id) => [{ type: 'Execution', id }],
    }),
    retryExecution: build.mutation<Execution, { id: string; session: 'same' | 'fresh' }>({
      query: ({ id, session }) => ({ url: `${path(id)}/retry`, body: { session } }),
      invalidatesTags: (_result, error) => (error ? [] : ['ExecutionList', 'Stats']),
    }),
  }),
})

export const {
  useListExecutionsQuery,
  useGetExecutionQuery,
  useListRemarksQuery,
  useCreateExecutionMutation,
  useUpdateExecutionMutation,
  useCancelExecutionMutation,
  useRetryExecutionMutation,
} = executionsApi
