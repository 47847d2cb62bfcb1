import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router'
import { base } from './base'
import { NotFound } from './parts'
import { Broken } from './shell/Broken'
import { Shell } from './shell/Shell'
import { SignIn } from './pages/SignIn'

type Search = Record<string, string>

const root = createRootRoute({ component: Outlet, notFoundComponent: () => <main><NotFound heading /></main>, errorComponent: Broken })
const signin = createRoute({ getParentRoute: () => root, path: '/signin', component: SignIn })
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell })
const validateSearch = (s: Record<string, unknown>) => s as Search

const home = createRoute({ getParentRoute: () => shell, path: '/', component: lazyRouteComponent(() => import('./pages/Home'), 'Home') })
// One component for all four, so that a new text keeps its editor when it becomes a draft.
const query = createRoute({ getParentRoute: () => shell, id: 'query', validateSearch, component: lazyRouteComponent(() => import('./pages/QueryPage'), 'QueryPage') })
const fresh = createRoute({ getParentRoute: () => query, path: '/new' })
const draft = createRoute({ getParentRoute: () => query, path: '/d/$id' })
const saved = createRoute({ getParentRoute: () => query, path: '/q/$id' })
const version = createRoute({ getParentRoute: () => query, path: '/q/$id/v/$n' })
const latest = createRoute({ getParentRoute: () => shell, path: '/q/$id/latest', component: lazyRouteComponent(() => import('./pages/Latest'), 'Latest') })
const run = createRoute({ getParentRoute: () => shell, path: '/r/$id', validateSearch, component: lazyRouteComponent(() => import('./pages/RunPage'), 'RunPage') })
const library = createRoute({ getParentRoute: () => shell, path: '/library', validateSearch, component: lazyRouteComponent(() => import('./pages/Library'), 'Library') })
const history = createRoute({ getParentRoute: () => shell, path: '/history', validateSearch, component: lazyRouteComponent(() => import('./pages/History'), 'HistoryPage') })
const connect = createRoute({ getParentRoute: () => shell, path: '/connect', component: lazyRouteComponent(() => import('./pages/Connect'), 'Connect') })
const people = createRoute({ getParentRoute: () => shell, path: '/people', component: lazyRouteComponent(() => import('./pages/People'), 'People') })

export const router = createRouter({
  routeTree: root.addChildren([signin, shell.addChildren([home, query.addChildren([fresh, draft, saved, version]), latest, run, library, history, connect, people])]),
  basepath: base.replace(/\/$/, '') || '/',
  // Addresses stay plain: ?rows=120-130, not JSON.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const text = new URLSearchParams(Object.entries(search).filter(([, v]) => v !== undefined && v !== null).map(([k, v]) => [k, String(v)])).toString()
    return text ? '?' + text : ''
  },
  defaultNotFoundComponent: () => <NotFound heading />,
  defaultErrorComponent: Broken,
  defaultPreload: 'intent',
})
