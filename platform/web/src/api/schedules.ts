import { api } from './base'
import type { Execution, Schedule, ScheduleCreate, SchedulePreview, ScheduleUpdate } from './types'

const path = (id: string) => `/api/schedules/${encodeURIComponent(id)}`

export const schedulesApi = api.enhanceEndpoints({ addTagTypes: ['Schedules'] }).injectEndpoints({
  endpoints: (build) => ({
    listSchedules: build.query<Schedule[], string>({
      query: (project) => ({ url: `/api/projects/${encodeURIComponent(project)}/schedules` }),
      transformResponse: (body: { items: Schedule[] }) => body.items,
      providesTags: ['Schedules'],
    }),
    createSchedule: build.mutation<Schedule, { project: string; body: ScheduleCreate }>({
      query: ({ project, body }) => ({
        url: `/api/projects/${encodeURIComponent(project)}/schedules`,
        body,
      }),
      invalidatesTags: (_result, error) => (error ? [] : ['Schedules']),
    }),
    updateSchedule: build.mutation<Schedule, { id: string; version: number; body: ScheduleUpdate }>(
      {
        query: ({ id, version, body }) => ({
          url: path(id),
          method: 'PUT',
          body,
          headers: { 'If-Match': `"${version}"` },
        }),
        invalidatesTags: ['Schedules'],
      },
    ),
    deleteSchedule: build.mutation<null, string>({
      query: (id) => ({ url: path(id), method: 'DELETE' }),
      invalidatesTags: ['Schedules'],
    }),
    runSchedule: build.mutation<Execution, string>({
      query: (id) => ({ url: `${path(id)}/run`, method: 'POST' }),
      invalidatesTags: (_result, error) => (error ? [] : ['Schedules', 'ExecutionList', 'Stats']),
    }),
    previewSchedule: build.query<SchedulePreview, { cron: string; time_zone: string }>({
      query: (body) => ({ url: '/api/checks/schedule', body }),
    }),
  }),
})

export const {
  useListSchedulesQuery,
  useCreateScheduleMutation,
  useUpdateScheduleMutation,
  useDeleteScheduleMutation,
  useRunScheduleMutation,
  usePreviewScheduleQuery,
} = schedulesApi
