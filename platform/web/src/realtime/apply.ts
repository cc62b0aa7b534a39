/** Live events into the RTK Query cache: what a page shows is patched, never re-read for one change. */
import { api } from '../api/base'
import { executionsApi } from '../api/executions'
import { projectsApi } from '../api/projects'
import { systemApi } from '../api/system'
import type { Deleted, Execution, PlatformNode, Project } from '../api/types'
import type { RootState, Store } from '../app/store'

type QueryName = 'listExecutions' | 'listProjects'

/** Arguments of every list of that kind in the cache. */
function cachedArgs(state: RootState, name: QueryName): unknown[] {
  return Object.values(state.api.queries)
    .filter((entry) => entry?.endpointName === name && entry.data !== undefined)
    .map((entry) => entry?.originalArgs)
}

function replaceById<T extends { id: string }>(items: T[], next: T): void {
  const index = items.findIndex((item) => item.id === next.id)
  if (index >= 0) items[index] = next
}

/** True when `next` is older than what we have: a slow event must not undo a newer reply. */
function older(current: { updated_at: string }, next: { updated_at: string }): boolean {
  return Date.parse(next.updated_at) < Date.parse(current.updated_at)
}

/** Whoever answers an execution ends its waiting, or gives it the next question. */
function wasAnswered(current: Execution, next: Execution): boolean {
  return (
    current.status.startsWith('waiting') &&
    (current.status !== next.status || current.question !== next.question)
  )
}

export function applyExecution(store: Store, next: Execution): void {
  const { dispatch } = store
  const state = store.getState()
  const current = executionsApi.endpoints.getExecution.select(next.id)(state).data
  if (current && !older(current, next)) {
    const attempts = next.attempts ?? current.attempts
    dispatch(
      executionsApi.util.updateQueryData('getExecution', next.id, () => ({ ...next, attempts })),
    )
    const last = attempts?.at(-1)
    const attemptChanged =
      next.attempts === undefined &&
      (current.status !== next.status || last?.number !== next.attempt_count)
    if (attemptChanged) dispatch(api.util.invalidateTags([{ type: 'Execution', id: next.id }]))
    if (wasAnswered(current, next))
      dispatch(api.util.invalidateTags([{ type: 'Remarks', id: next.id }]))
  }
  for (const args of cachedArgs(state, 'listExecutions')) {
    dispatch(
      executionsApi.util.updateQueryData(
        'listExecutions',
        args as Parameters<typeof executionsApi.endpoints.listExecutions.initiate>[0],
        (draft) => {
          const known = draft.items.find((item) => item.id === next.id)
          if (known && !older(known, next)) replaceById(draft.items, next)
        },
      ),
    )
  }
}

export function applyProject(store: Store, next: Project): void {
  const { dispatch } = store
  const state = store.getState()
  const current = projectsApi.endpoints.getProject.select(next.id)(state).data
  if (current && next.version >= current.version)
    dispatch(projectsApi.util.updateQueryData('getProject', next.id, () => next))
  for (const args of cachedArgs(state, 'listProjects')) {
    dispatch(
      projectsApi.util.updateQueryData(
        'listProjects',
        args as Parameters<typeof projectsApi.endpoints.listProjects.initiate>[0],
        (draft) => replaceById(draft.items, next),
      ),
    )
  }
}

export function applyNode(store: Store, next: PlatformNode): void {
  store.dispatch(
    systemApi.util.updateQueryData('listNodes', undefined, (draft) => {
      const index = draft.items.findIndex((item) => item.id === next.id)
      if (index >= 0) draft.items[index] = next
      else draft.items.push(next)
    }),
  )
}

export function applyDeleted(store: Store, gone: Deleted): void {
  store.dispatch(
    api.util.invalidateTags([
      'ProjectList',
      'Stats',
      { type: gone.kind === 'project' ? 'Project' : 'Execution', id: gone.id },
    ]),
  )
}

/** What to read again when a topic cannot resume. */
export function refetchTopic(store: Store, topic: string): void {
  const [kind, id] = topic.split(':')
  if (kind === 'projects') store.dispatch(api.util.invalidateTags(['ProjectList', 'Stats']))
  else if (kind === 'executions')
    store.dispatch(api.util.invalidateTags(['ExecutionList', 'Stats']))
  else if (kind === 'nodes') store.dispatch(api.util.invalidateTags(['Node']))
  else if (kind === 'project' && id)
    store.dispatch(api.util.invalidateTags([{ type: 'Project', id }]))
  else if (kind === 'execution' && id)
    store.dispatch(
      api.util.invalidateTags([
        { type: 'Execution', id },
        { type: 'Remarks', id },
      ]),
    )
}
