/** Every page, each its own chunk. */
import { type ComponentType, lazy } from 'react'
import { Navigate, Route, Routes, useSearchParams } from 'react-router'
import { warm } from '../overlay/lazy'
import NotFoundPage from '../parts/NotFoundPage'

const pages = {
  dashboard: () => import('../features/dashboard/DashboardPage'),
  projects: () => import('../features/projects/ProjectsPage'),
  projectNew: () => import('../features/project-new/ProjectNewPage'),
  project: () => import('../features/project/ProjectPage'),
  executions: () => import('../features/executions/ExecutionsPage'),
  execution: () => import('../features/execution/ExecutionPage'),
  nodes: () => import('../features/nodes/NodesPage'),
}

const DashboardPage = lazy(pages.dashboard)
const ProjectsPage = lazy(pages.projects)
const ProjectNewPage = lazy(pages.projectNew)
const ProjectPage = lazy(pages.project)
const ExecutionsPage = lazy(pages.executions)
const ExecutionPage = lazy(pages.execution)
const NodesPage = lazy(pages.nodes)

type Load = () => Promise<{ default: ComponentType }>

const byPath: [RegExp, Load][] = [
  [/^\/$/, pages.dashboard],
  [/^\/projects$/, pages.projects],
  [/^\/projects\/new/, pages.projectNew],
  [/^\/projects\//, pages.project],
  [/^\/executions$/, pages.executions],
  [/^\/executions\//, pages.execution],
]

/** Fetches the page of an address while the session is still being asked for. */
export function preloadPage(path: string): void {
  const load = byPath.find(([pattern]) => pattern.test(path))?.[1]
  if (load) warm(load)
}

/** Fetches what is likely next, when the page has settled. */
export function prefetchPages(): void {
  for (const load of [pages.projects, pages.project, pages.executions, pages.execution]) warm(load)
}

/** After sign-in: on to where the person wanted to go (only within this site). */
function Onward() {
  const [search] = useSearchParams()
  const next = search.get('next') ?? '/'
  const safe = next.startsWith('/') && !next.startsWith('//') && !next.includes('\\')
  return <Navigate to={safe ? next : '/'} replace />
}

export function Pages() {
  return (
    <Routes>
      <Route path="/" element={<DashboardPage />} />
      <Route path="/login" element={<Onward />} />
      <Route path="/setup" element={<Navigate to="/" replace />} />
      <Route path="/projects" element={<ProjectsPage />} />
      <Route path="/projects/new" element={<ProjectNewPage />} />
      <Route path="/projects/:id/:tab?" element={<ProjectPage />} />
      <Route path="/executions" element={<ExecutionsPage />} />
      <Route path="/executions/:id/:tab?" element={<ExecutionPage />} />
      <Route path="/nodes" element={<NodesPage />} />
      <Route path="*" element={<NotFoundPage />} />
    </Routes>
  )
}
