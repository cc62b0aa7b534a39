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

/** The server looks at some thousand executions for each request of a search. */
const searchSteps = 20
const pageSize = 50

const path = (id: string) => `/api/executions/${encodeURIComponent(id)}`

export const executionsApi = api.injectEndpoints({
  endpoints: (build) => ({
    listExecutions: build.query<ExecutionPage, ExecutionFilter>({
      /** A search goes on until its page is full, and only then, or after so many steps, shows it. */
      queryFn: async (params, _api, _options, fetch) => {
        const wanted = params.limit ?? pageSize
        const items: Execution[] = []
        let cursor: string | null | undefined = params.cursor
        for (let step = 1; ; step++) {
          const answer = await fetch({
            url: '/api/executions',
            params: { ...params, cursor, limit: wanted - items.length },
          })
          if (answer.error) return { error: answer.error }
          const page = answer.data as ExecutionPage
          items.push(...page.items)
          cursor = page.next_cursor
          if (!params.q || !cursor || items.length >= wanted || step === searchSteps)
            return { data: { ...page, items } }
        }
      },
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
