#!/usr/bin/env bash
# Runs the CDK: infra/cdk.sh synth|deploy|diff|destroy|import|bootstrap|check, for the stacks in STACKS and the file of chains in CHAINS,
# with the approval in APPROVAL and, for import, the file in MAP that says what is there already. People type these, in a workflow into a
# form: they come through the environment, are checked here before any other program sees them, and are never part of a script's text.
set -euo pipefail
cd "$(dirname "$0")/.."

fault() {
  echo "$1" >&2
  exit 2
}

name='Orchestrator-[a-z][a-z0-9-]{0,30}' # infra/stack.go StackName, of a chain's name as shared/config has it
stacks=${STACKS:---all}
[[ $stacks =~ ^(--all|$name( $name){0,49})$ ]] || fault "STACKS: want --all or names such as Orchestrator-mychain, with a space between them"
chains=${CHAINS:-infra/chains.yaml}
[[ $chains =~ ^[A-Za-z0-9_./-]+$ && $chains != -* ]] || fault "CHAINS: want a path of letters, digits, _ . / and -"
approval=${APPROVAL:-broadening}
[[ $approval =~ ^(never|any-change|broadening)$ ]] || fault "APPROVAL: want never, any-change or broadening"
map=${MAP:-}
[[ -z $map || $map =~ ^[A-Za-z0-9_./-]+$ && $map != -* ]] || fault "MAP: want a path of letters, digits, _ . / and -"

read -ra names <<<"$stacks"
[[ ${names[0]} != --all ]] || all=1
case ${1:-} in
check) exit 0 ;;
synth) args=(synth --quiet) ;;
diff) args=(diff) ;;
deploy) args=(deploy --require-approval "$approval") ;;
destroy) args=(destroy) ;;
import)
  [[ -z ${all:-} && ${#names[@]} == 1 ]] || fault "STACKS: want one stack, such as Orchestrator-mychain"
  [[ -n $map ]] || fault "MAP: want the file of what is there already (infra/README.md, Restore)"
  args=(import --resource-mapping "$map")
  ;;
bootstrap) args=(bootstrap) names=() ;;
*) fault "usage: infra/cdk.sh synth|deploy|diff|destroy|import|bootstrap|check" ;;
esac
case $1 in synth | diff) [[ -z ${all:-} ]] || names=() ;; esac # they take all by themselves

export ORCHESTRATOR_CDK=$1 ORCHESTRATOR_CHAINS=$chains JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1 JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20
exec .tools/cdk/node_modules/.bin/cdk "${args[@]}" ${names[@]+"${names[@]}"}
