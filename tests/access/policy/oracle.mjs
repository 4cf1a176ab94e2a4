// Runs simulations with @cloud-copilot/iam-simulate: JSON list on stdin, JSON list of results on stdout.
import { readFileSync } from 'node:fs'
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate'

const simulations = JSON.parse(readFileSync(0, 'utf8'))
const answers = []
for (const simulation of simulations) {
  if (simulation.request.principal === '') simulation.request.principal = anonymousPrincipal
  const answer = await runSimulation(simulation, {})
  answers.push(answer.resultType === 'error' ? { error: JSON.stringify(answer.errors) } : { result: answer.overallResult })
}
process.stdout.write(JSON.stringify(answers))
