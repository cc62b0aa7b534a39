/** A node by the name people gave it. */
import { useListNodesQuery } from '../api/system'

export function NodeName({ id }: { id: string | null }) {
  const { data } = useListNodesQuery()
  if (id === null) return <>—</>
  return <>{data?.items.find((node) => node.id === id)?.name ?? id}</>
}
