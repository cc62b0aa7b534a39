import { api } from './base'
import type {
  ClaudeCheck,
  ClaudeCheckRequest,
  GithubCheck,
  GithubCheckRequest,
  Project,
  ProjectCreate,
  ProjectPage,
  ProjectUpdate,
} from './types'

export interface ProjectFilter {
  q?: string
  status?: string
  cursor?: string
  limit?: number
}

const path = (id: string) => `/api/projects/${encodeURIComponent(id)}`

export const projectsApi = api.injectEndpoints({
  endpoints: (build) => ({
    listProjects: build.query<ProjectPage, ProjectFilter>({
      query: (params) => ({ url: '/api/projects', params: { ...params } }),
      providesTags: ['ProjectList'],
    }),
    getProject: build.query<Project, string>({
      query: (id) => ({ url: path(id) }),
      providesTags: (_result, _error, id) => [{ type: 'Project', id }],
    }),
    createProject: build.mutation<Project, ProjectCreate>({
      query: (body) => ({ url: '/api/projects', body }),
      invalidatesTags: ['ProjectList', 'Stats'],
    }),
    updateProject: build.mutation<Project, { id: string; version: number; body: ProjectUpdate }>({
      query: ({ id, version, body }) => ({
        url: path(id),
        method: 'PUT',
        body,
        headers: { 'If-Match': `"${version}"` },
      }),
      invalidatesTags: (_result, error, { id }) =>
        error ? [] : [{ type: 'Project', id }, 'ProjectList'],
    }),
    deleteProject: build.mutation<null, string>({
      query: (id) => ({ url: path(id), method: 'DELETE' }),
      invalidatesTags: (_result, error) => (error ? [] : ['ProjectList', 'ExecutionList', 'Stats']),
    }),
    controlProject: build.mutation<Project, { id: string; action: 'start' | 'stop' | 'restart' }>({
      query: ({ id, action }) => ({ url: `${path(id)}/${action}`, method: 'POST' }),
      invalidatesTags: (_result, _error, { id }) => [{ type: 'Project', id }, 'ProjectList'],
    }),
    checkGithub: build.mutation<GithubCheck, GithubCheckRequest>({
      query: (body) => ({ url: '/api/checks/github', body }),
    }),
    checkClaude: build.mutation<ClaudeCheck, ClaudeCheckRequest>({
      query: (body) => ({ url: '/api/checks/claude', body }),
    }),
  }),
})

export const {
  useListProjectsQuery,
  useGetProjectQuery,
  useCreateProjectMutation,
  useUpdateProjectMutation,
  useDeleteProjectMutation,
  useControlProjectMutation,
  useCheckGithubMutation,
  useCheckClaudeMutation,
} = projectsApi
