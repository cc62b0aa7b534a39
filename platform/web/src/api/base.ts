/** The one RTK Query api. Endpoints are added per subject, beside their tags. */
import { type BaseQueryFn, createApi } from '@reduxjs/toolkit/query/react'
import { call, jsonBody } from './http'
import { type ApiError, isApiError, networkError } from './problem'

export interface Request {
  url: string
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  params?: Record<string, string | number | undefined>
  body?: unknown
  headers?: Record<string, string>
}

export function withParams(url: string, params: Request['params']): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== undefined && value !== '') query.set(name, String(value))
  }
  const text = query.toString()
  return text ? `${url}?${text}` : url
}

const baseQuery: BaseQueryFn<Request, unknown, ApiError> = async (request, { signal }) => {
  const init: RequestInit =
    request.body === undefined
      ? { method: request.method ?? 'GET' }
      : jsonBody(request.body, request.method ?? 'POST')
  if (request.headers) init.headers = { ...init.headers, ...request.headers }
  try {
    const response = await call(withParams(request.url, request.params), { ...init, signal })
    return { data: response.status === 204 ? null : await response.json() }
  } catch (error) {
    if (isApiError(error)) return { error }
    return { error: networkError(error instanceof Error ? error.message : String(error)) }
  }
}

export const api = createApi({
  reducerPath: 'api',
  baseQuery,
  tagTypes: [
    'Me',
    'Project',
    'ProjectList',
    'Execution',
    'ExecutionList',
    'Remarks',
    'Node',
    'Stats',
  ],
  keepUnusedDataFor: 60,
  refetchOnReconnect: true,
  endpoints: () => ({}),
})
