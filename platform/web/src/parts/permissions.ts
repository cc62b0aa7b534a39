/** What the signed-in person may do. The server decides; here buttons only say why not. */
import type { Permission } from '../api/types'
import { useAppSelector } from '../app/store'
import { useT } from '../i18n/t'

export function useMay(permission: Permission): boolean {
  return useAppSelector((state) => state.session.user?.permissions.includes(permission) ?? false)
}

/** The reason a button is off for this person or now, or null. */
export function useWhyNot(permission: Permission): string | null {
  const t = useT()
  const may = useMay(permission)
  const live = useAppSelector(
    (state) => state.live.connection.name !== 'waiting' || navigator.onLine,
  )
  if (!may) return t('permission.none')
  return live ? null : t('permission.offline')
}
