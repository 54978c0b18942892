// Evaluates calls against policies by an evaluator that others wrote: reads {account, calls: [{principal, action, resource, context,
// policies: [{name, policy}], resourcePolicy}]} from standard input and writes the results, one for each call in turn: "Allowed", "ImplicitlyDenied" ...
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import path from 'node:path'

const modules = path.resolve(process.argv[2])
const entry = createRequire(path.join(modules, 'x.js')).resolve('@cloud-copilot/iam-simulate')
const { runSimulation } = await import(pathToFileURL(entry).href)
const { account, calls } = JSON.parse(readFileSync(0, 'utf8'))
const out = []
for (const c of calls) {
  const r = await runSimulation(
    {
      identityPolicies: c.policies,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: c.resourcePolicy,
      request: { principal: c.principal, resource: { resource: c.resource, accountId: account }, action: c.action, contextVariables: c.context ?? {} },
    },
    {},
  )
  out.push(r.overallResult ?? `error: ${JSON.stringify(r.errors ?? r).slice(0, 300)}`)
}
process.stdout.write(JSON.stringify(out))
