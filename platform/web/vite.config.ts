import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Where `npm run dev` finds the API: a running platform, or `npm run standin`. */
const api = process.env.POPPO_API ?? 'http://127.0.0.1:3000'

/** What every page needs is one file, so that the first view takes few requests. MUI is never in it. */
const shared =
  /\/src\/(?:api|app|design|keys|parts|realtime|i18n\/\w+\.ts|overlay\/lazy)|\/node_modules\/(?:react|react-dom|scheduler|react-router|react-redux|use-sync-external-store|@reduxjs|redux|immer|reselect|lucide-react)\//

export default defineConfig({
  plugins: [react()],
  build: {
    target: ['chrome111', 'firefox114', 'safari16.4'],
    manifest: 'build.manifest.json', // read by tools/check-budget.mjs
    assetsInlineLimit: 0, // the policy allows no data: scripts or styles
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'shared', test: shared, priority: 10 }] } },
    },
  },
  server: { proxy: { '/api': { target: api, ws: true }, '/healthz': api } },
})
