#!/usr/bin/env bash
# One launcher on each of some machines, over SSH, each with the same environment under the same path:
#   HOSTS="node-0 node-1" bash ssh.sh continuous --model MODEL --out /shared/runs/one
# The first host is machine 0; the others reach it by that name. Ctrl-C ends all of them.
set -eu
gpus=${GPUS:-8} # of a machine
read -r -a hosts <<< "$HOSTS"
python=$(command -v python)
config=$(python -c 'import mstar.experiments as e; print(next(iter(e.__path__)))')/accelerate/fsdp2-nodes.yaml
trap 'kill $(jobs -p) 2> /dev/null' EXIT
for rank in "${!hosts[@]}"; do
  command=("$python" -m accelerate.commands.accelerate_cli launch --config_file "$config"
    --num_machines "${#hosts[@]}" --num_processes "$((${#hosts[@]} * gpus))"
    --machine_rank "$rank" --main_process_ip "${hosts[0]}" --main_process_port 29500
    -m mstar.experiments.cli train "$@")
  ssh -tt "${hosts[$rank]}" "cd $(printf %q "$PWD") && $(printf '%q ' "${command[@]}")" &
done
wait
