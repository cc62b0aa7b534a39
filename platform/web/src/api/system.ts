import { api } from './base'
import type { Me, NodePage, Stats } from './types'

export const systemApi = api.injectEndpoints({
  endpoints: (build) => ({
    getStats: build.query<Stats, void>({
      query: () => ({ url: '/api/stats' }),
      providesTags: ['Stats'],
    }),
    listNodes: build.query<NodePage, void>({
      query: () => ({ url: '/api/nodes' }),
      providesTags: ['Node'],
    }),
    updateMe: build.mutation<Me, { language: Me['language'] }>({
      query: (body) => ({ url: '/api/me', method: 'PATCH', body }),
    }),
  }),
})

export const { useGetStatsQuery, useListNodesQuery, useUpdateMeMutation } = systemApi
