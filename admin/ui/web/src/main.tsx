import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { createRoot } from 'react-dom/client'
import { Problem } from './api/client'
import { nonce } from './base'
import { Toasts } from './parts/toast'
import { router } from './router'
import './styles/index.css'
import { applyTheme, readTheme } from './theme'

// Libraries that add style elements (Radix, by way of get-nonce) look for it here.
;(globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce

applyTheme(readTheme())

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000, refetchOnWindowFocus: false,
      retry: (failures, err) => failures < 2 && err instanceof Problem && err.status === 0,
    },
  },
})

createRoot(document.getElementById('root')!).render(
  <QueryClientProvider client={client}>
    <RouterProvider router={router} />
    <Toasts />
  </QueryClientProvider>,
)
