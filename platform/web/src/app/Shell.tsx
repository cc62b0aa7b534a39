/** The frame of every page: top bar, navigation (side, drawer or bottom bar), and the page itself. */
import {
  Activity,
  CirclePlay,
  FolderGit2,
  Keyboard,
  Languages,
  LayoutDashboard,
  LogOut,
  Menu as MenuIcon,
  Monitor,
  Moon,
  PanelLeft,
  Server,
  Sun,
  X,
} from 'lucide-react'
import { type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { useStore } from 'react-redux'
import { Link, NavLink, useLocation, useNavigate } from 'react-router'
import { logout, signedOut } from '../api/session'
import { useGetStatsQuery } from '../api/system'
import { IconButton } from '../design/Button'
import { SkeletonPage } from '../design/feedback'
import { useNow } from '../design/Time'
import { toastError } from '../design/toast'
import { formatAbsolute, formatNumber } from '../i18n/format'
import { type Key, useLanguage, useT } from '../i18n/t'
import { HelpSheet } from '../keys/HelpSheet'
import { useKeys } from '../keys/useKeys'
import { Menu, prefetchOverlays } from '../overlay/lazy'
import { useTopic } from '../realtime/live'
import { useCrumbs } from './crumbs'
import { ErrorBoundary } from './ErrorBoundary'
import { chooseLanguage } from './language'
import { setPreference, type ThemeChoice, usePreferences } from './preferences'
import { Pages, prefetchPages } from './routes'
import './shell.css'
import { type Store, useAppSelector } from './store'
import { announceSignOut } from './tabs'

interface Place {
  to: string
  label: Key
  icon: ReactNode
  count?: number
}

/** Counts change by events of pages that are not open, too. */
const countsPolling = { pollingInterval: 15_000, skipPollingIfUnfocused: true }

function usePlaces(): Place[] {
  const { data: stats } = useGetStatsQuery(undefined, countsPolling)
  return [
    { to: '/', label: 'nav.dashboard', icon: <LayoutDashboard size={17} /> },
    {
      to: '/projects',
      label: 'nav.projects',
      icon: <FolderGit2 size={17} />,
      count: stats?.projects,
    },
    {
      to: '/executions',
      label: 'nav.executions',
      icon: <CirclePlay size={17} />,
      count: stats && stats.running + stats.queued,
    },
    { to: '/nodes', label: 'nav.nodes', icon: <Server size={17} /> },
  ]
}

export function Brand() {
  return (
    <Link to="/" className="brand" aria-label="PoppoBuilder">
      <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
        <defs>
          <linearGradient id="brand" x1="0" y1="0" x2="1" y2="1">
            <stop stopColor="var(--brand-a)" />
            <stop offset="1" stopColor="var(--brand-b)" />
          </linearGradient>
        </defs>
        <path
          fill="url(#brand)"
          d="M20.3 4.2a6.6 6.6 0 0 0-6.6 6.6v1.1C9 12.6 4.6 16 2.6 21.2c-.3.8.5 1.5 1.2 1.1 1.4-.8 2.8-1.1 4.1-1 1.9 4 5.7 6.5 10 6.5 5.6 0 9-4.2 9-9.6v-7l2.6-1.6c.5-.3.4-1-.1-1.2l-3-.9a6.6 6.6 0 0 0-6.1-3.3Z"
        />
        <circle cx="21.6" cy="10" r="1.5" fill="var(--surface)" />
      </svg>
      <span>PoppoBuilder</span>
    </Link>
  )
}

function NavLinks({ places, onGo }: { places: Place[]; onGo?: () => void }) {
  const t = useT()
  return (
    <ul>
      {places.map((place) => (
        <li key={place.to}>
          <NavLink to={place.to} end={place.to === '/'} onClick={onGo} title={t(place.label)}>
            {place.icon}
            <span className="nav-label">{t(place.label)}</span>
            {place.count !== undefined && place.count > 0 && (
              <span className="nav-count">{formatNumber(place.count)}</span>
            )}
          </NavLink>
        </li>
      ))}
    </ul>
  )
}

/** Drawer for narrow windows: a native modal dialog keeps the focus inside and closes by Escape. */
function Drawer(props: { open: boolean; places: Place[]; onClose: () => void }) {
  const t = useT()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    if (!element) return
    if (props.open && !element.open) element.showModal()
    else if (!props.open && element.open) element.close()
  }, [props.open])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      ref={dialog}
      className="drawer"
      aria-label={t('nav.label')}
      onClose={props.onClose}
      onClick={(event) => event.target === event.currentTarget && props.onClose()}
    >
      <div className="drawer-head">
        <Brand />
        <IconButton label={t('action.close')} onClick={props.onClose}>
          <X size={18} />
        </IconButton>
      </div>
      <nav aria-label={t('nav.label')}>
        <NavLinks places={props.places} onGo={props.onClose} />
      </nav>
    </dialog>
  )
}

function LiveIndicator() {
  const t = useT()
  const { connection } = useAppSelector((state) => state.live)
  const now = useNow()
  let tone = 'run'
  let text = t('live.connecting')
  if (connection.name === 'live') {
    tone = 'ok'
    text = t('live.on')
  } else if (connection.name === 'waiting') {
    tone = 'warn'
    const seconds = Math.max(1, Math.ceil((connection.retryAt - now) / 1000))
    text = navigator.onLine ? t('live.retry', { seconds }) : t('live.off')
  }
  return (
    <span className="live" data-tone={tone} title={text}>
      <span className="live-dot" aria-hidden="true" />
      <span className="live-text">{text}</span>
    </span>
  )
}

const bannerMs = 10_000

/** Over ten seconds without a connection: say so, and how old the page is. */
function OfflineBanner() {
  const t = useT()
  useLanguage()
  const { connection, lastLiveAt } = useAppSelector((state) => state.live)
  const now = useNow()
  const [since, setSince] = useState<number | null>(null)
  const live = connection.name === 'live'
  useEffect(() => setSince(live ? null : Date.now()), [live])
  const shown = since !== null && now - since >= bannerMs
  return (
    <div role="status">
      {shown && (
        <div className="offline">
          <Activity size={15} aria-hidden="true" />
          {lastLiveAt === null
            ? t('live.never')
            : t('live.offline', { time: formatAbsolute(lastLiveAt) })}
        </div>
      )}
    </div>
  )
}

const themes: { choice: ThemeChoice; label: Key; icon: ReactNode }[] = [
  { choice: 'system', label: 'theme.system', icon: <Monitor size={16} /> },
  { choice: 'light', label: 'theme.light', icon: <Sun size={16} /> },
  { choice: 'dark', label: 'theme.dark', icon: <Moon size={16} /> },
]

const languages = [
  { language: 'ja', name: '日本語' },
  { language: 'en', name: 'English' },
] as const

function ThemeButton() {
  const t = useT()
  const { theme } = usePreferences()
  const at = themes.findIndex((each) => each.choice === theme)
  const current = themes[at] ?? themes[0]
  const next = themes[(at + 1) % themes.length]
  const change = () => next && setPreference('theme', next.choice)
  useKeys('global', [{ keys: 't', label: 'keys.theme', run: change }])
  if (!current) return null
  return (
    <IconButton label={t('theme.button', { name: t(current.label) })} onClick={change}>
      {current.icon}
    </IconButton>
  )
}

function LanguageButton() {
  const t = useT()
  const language = useLanguage()
  const store = useStore() as Store
  return (
    <button
      type="button"
      className="btn btn-quiet lang"
      lang={language === 'ja' ? 'en' : 'ja'}
      title={t('language.switch')}
      onClick={() => void chooseLanguage(store, language === 'ja' ? 'en' : 'ja')}
    >
      <Languages size={16} aria-hidden="true" />
      <span>{language === 'ja' ? 'English' : '日本語'}</span>
    </button>
  )
}

function UserMenu({ onHelp }: { onHelp: () => void }) {
  const t = useT()
  const store = useStore() as Store
  const language = useLanguage()
  const { theme, keys } = usePreferences()
  const user = useAppSelector((state) => state.session.user)
  const [anchor, setAnchor] = useState<HTMLElement | null>(null)
  const navigate = useNavigate()
  if (!user) return null

  const leave = async () => {
    try {
      await logout()
    } catch (error) {
      toastError(error)
      return
    }
    announceSignOut()
    store.dispatch(signedOut())
    navigate('/login')
  }

  const close = () => {
    setAnchor(null)
    anchor?.focus()
  }

  return (
    <>
      <button
        type="button"
        className="avatar"
        aria-haspopup="menu"
        aria-expanded={anchor !== null}
        aria-label={t('user.menu', { name: user.username })}
        onPointerEnter={prefetchOverlays}
        onFocus={prefetchOverlays}
        onClick={(event) => setAnchor(event.currentTarget)}
      >
        {user.username.slice(0, 1).toUpperCase()}
      </button>
      {anchor && (
        <Menu
          anchor={anchor}
          label={t('user.menu', { name: user.username })}
          onClose={close}
          header={
            <>
              <b>{user.username}</b>
              <span className="muted">{t(`role.${user.role}`)}</span>
            </>
          }
          groups={[
            {
              label: t('theme.title'),
              entries: themes.map((each) => ({
                label: t(each.label),
                checked: each.choice === theme,
                run: () => setPreference('theme', each.choice),
              })),
            },
            {
              label: t('language.title'),
              entries: languages.map((each) => ({
                label: each.name,
                checked: each.language === language,
                run: () => void chooseLanguage(store, each.language),
              })),
            },
            {
              entries: [
                {
                  label: t('keys.title'),
                  icon: <Keyboard size={16} />,
                  hint: keys === 'on' ? '?' : undefined,
                  run: onHelp,
                },
                {
                  label: t('user.sign_out'),
                  icon: <LogOut size={16} />,
                  run: () => void leave(),
                },
              ],
            },
          ]}
        />
      )}
    </>
  )
}

function Breadcrumb() {
  const t = useT()
  const crumbs = useCrumbs()
  return (
    <nav className="crumbs" aria-label={t('nav.breadcrumb')}>
      <ol>
        {crumbs.map((crumb, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the place in the path is what it is
          <li key={i}>
            {crumb.to ? (
              <Link to={crumb.to}>{crumb.label}</Link>
            ) : (
              <span aria-current="page">{crumb.label}</span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  )
}

/** A new page: focus and reading start at its main part, at the top. */
function useFocusOnNavigation(): React.RefObject<HTMLElement | null> {
  const main = useRef<HTMLElement>(null)
  const { pathname } = useLocation()
  const last = useRef(pathname)
  useEffect(() => {
    const section = (path: string) => path.split('/').slice(0, 3).join('/')
    if (section(last.current) !== section(pathname)) {
      main.current?.focus({ preventScroll: true })
      scrollTo(0, 0)
    }
    last.current = pathname
  }, [pathname])
  return main
}

/** Not before the page itself has what it needs. */
const prefetchAfterMs = 2000

export function Shell() {
  const t = useT()
  const places = usePlaces()
  const { nav } = usePreferences()
  const [drawer, setDrawer] = useState(false)
  const [help, setHelp] = useState(false)
  const navigate = useNavigate()
  const location = useLocation()
  const main = useFocusOnNavigation()
  useTopic('nodes')

  useEffect(() => {
    const timer = setTimeout(() => {
      prefetchPages()
      prefetchOverlays()
    }, prefetchAfterMs)
    return () => clearTimeout(timer)
  }, [])

  const toggleNav = () => setPreference('nav', nav === 'wide' ? 'narrow' : 'wide')
  useKeys('global', [
    { keys: 'g d', label: 'keys.go_dashboard', run: () => navigate('/') },
    { keys: 'g p', label: 'keys.go_projects', run: () => navigate('/projects') },
    { keys: 'g e', label: 'keys.go_executions', run: () => navigate('/executions') },
    { keys: 'g n', label: 'keys.go_nodes', run: () => navigate('/nodes') },
    { keys: 'c', label: 'keys.new_project', run: () => navigate('/projects/new') },
    { keys: '[', label: 'keys.nav', run: toggleNav },
    { keys: '?', label: 'keys.help', run: () => setHelp(true) },
  ])

  return (
    <div className={`shell ${nav === 'narrow' ? 'shell-narrow' : ''}`}>
      <a className="skip" href="#main">
        {t('nav.skip')}
      </a>
      <header className="topbar">
        <div className="topbar-brand">
          <button
            type="button"
            className="btn btn-quiet btn-icon hamburger"
            aria-label={t('nav.open')}
            onClick={() => setDrawer(true)}
          >
            <MenuIcon size={18} />
          </button>
          <Brand />
        </div>
        <Breadcrumb />
        <div className="topbar-tools">
          <LiveIndicator />
          <ThemeButton />
          <LanguageButton />
          <UserMenu onHelp={() => setHelp(true)} />
        </div>
      </header>
      <nav className="sidenav" aria-label={t('nav.label')}>
        <NavLinks places={places} />
        <button
          type="button"
          className="nav-toggle"
          aria-expanded={nav === 'wide'}
          title={nav === 'wide' ? t('nav.collapse') : t('nav.expand')}
          onClick={toggleNav}
        >
          <PanelLeft size={17} aria-hidden="true" />
          <span className="nav-label">{nav === 'wide' ? t('nav.collapse') : t('nav.expand')}</span>
        </button>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <OfflineBanner />
        <ErrorBoundary resetKey={location.pathname}>
          <Suspense fallback={<SkeletonPage />}>
            <Pages />
          </Suspense>
        </ErrorBoundary>
      </main>
      <nav className="bottombar" aria-label={t('nav.label')}>
        {places.slice(0, 3).map((place) => (
          <NavLink key={place.to} to={place.to} end={place.to === '/'}>
            {place.icon}
            <span>{t(place.label)}</span>
          </NavLink>
        ))}
        <button type="button" onClick={() => setDrawer(true)}>
          <MenuIcon size={17} aria-hidden="true" />
          <span>{t('nav.menu')}</span>
        </button>
      </nav>
      <Drawer open={drawer} places={places} onClose={() => setDrawer(false)} />
      {help && <HelpSheet onClose={() => setHelp(false)} />}
    </div>
  )
}
