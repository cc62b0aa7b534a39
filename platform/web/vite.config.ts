import { mkdirSync, writeFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** Where `npm run dev` finds the API: a running platform, or `npm run standin`. */
const api = process.env.POPPO_API ?? 'http://127.0.0.1:3000'

/** What every page needs is one file, so that the first view takes few requests. MUI is never in it. */
const shared =
  /\/src\/(?:api|app|design|keys|parts|realtime|i18n\/\w+\.ts|overlay\/lazy)|\/node_modules\/(?:react|react-dom|scheduler|react-router|react-redux|use-sync-external-store|@reduxjs|redux|immer|reselect|lucide-react)\//

/** Writes down what each chunk is made of, for tools/check-budget.mjs; not part of what is served. */
const describeBuild: Plugin = {
  name: 'describe-build',
  generateBundle(_options, bundle) {
    const local = (id: string) => id.replace(`${import.meta.dirname}/`, '')
    const chunks = Object.values(bundle).flatMap((chunk) =>
      chunk.type === 'chunk'
        ? [
            {
              file: chunk.fileName,
              entry: chunk.isEntry,
              page: chunk.facadeModuleId && local(chunk.facadeModuleId),
              imports: chunk.imports,
              modules: Object.entries(chunk.modules).map(([id, module]) => ({
                id: local(id),
                bytes: module.renderedLength,
              })),
            },
          ]
        : [],
    )
    mkdirSync(`${import.meta.dirname}/node_modules/.cache`, { recursive: true })
    writeFileSync(`${import.meta.dirname}/node_modules/.cache/build.json`, JSON.stringify(chunks))
  },
}

export default defineConfig({
  plugins: [react(), describeBuild],
  build: {
    target: ['chrome111', 'firefox114', 'safari16.4'],
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
