/** A menu under the button that opened it. */
import MuiMenu from '@mui/material/Menu'
import MenuItem from '@mui/material/MenuItem'
import { Check } from 'lucide-react'
import type { ReactNode } from 'react'
import { MuiRoot } from './MuiRoot'

export interface MenuEntry {
  label: string
  icon?: ReactNode
  hint?: string
  /** Set for a choice: whether it is the chosen one. */
  checked?: boolean
  run: () => void
}

export interface MenuGroup {
  label?: string
  entries: MenuEntry[]
}

export default function Menu(props: {
  anchor: HTMLElement
  label: string
  header?: ReactNode
  groups: MenuGroup[]
  onClose: () => void
}) {
  return (
    <MuiRoot>
      <MuiMenu
        open
        anchorEl={props.anchor}
        onClose={props.onClose}
        anchorOrigin={{ vertical: 'bottom', horizontal: 'right' }}
        transformOrigin={{ vertical: 'top', horizontal: 'right' }}
        slotProps={{ list: { 'aria-label': props.label, dense: true } }}
      >
        {props.header && (
          <li role="presentation" className="menu-header">
            {props.header}
          </li>
        )}
        {props.groups.flatMap((group, g) => [
          g > 0 && (
            <li key={`over ${group.entries[0]?.label}`} role="presentation" className="menu-line" />
          ),
          group.label && (
            <li key={group.label} role="presentation" className="menu-group">
              {group.label}
            </li>
          ),
          ...group.entries.map((entry) => (
            <MenuItem
              key={entry.label}
              role={entry.checked === undefined ? 'menuitem' : 'menuitemradio'}
              aria-checked={entry.checked}
              aria-label={group.label && `${group.label}: ${entry.label}`}
              onClick={() => {
                props.onClose()
                entry.run()
              }}
            >
              <span className="menu-icon">
                {entry.checked ? <Check size={16} /> : entry.checked === undefined && entry.icon}
              </span>
              <span className="menu-label">{entry.label}</span>
              {entry.hint && <kbd aria-hidden="true">{entry.hint}</kbd>}
            </MenuItem>
          )),
        ])}
      </MuiMenu>
    </MuiRoot>
  )
}
