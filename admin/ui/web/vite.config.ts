import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Scripts find each other relative to themselves (base './'), so that the page
// works below any path; only index.html names them from the root, and the server
// rewrites that one attribute when it serves the page below a path.
const rootedIndex = {
  name: 'rooted-index',
  enforce: 'post' as const,
  transformIndexHtml: (html: string) => html.replaceAll('"./assets/', '"/assets/'),
}

export default defineConfig({
  base: './',
  plugins: [react(), rootedIndex],
  build: {
    outDir: fileURLToPath(new URL('../dist', import.meta.url)),
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': 'http://127.0.0.1:8099' } },
})
