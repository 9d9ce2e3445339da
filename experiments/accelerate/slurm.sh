#!/usr/bin/env bash
#SBATCH --job-name=mstar
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --signal=TERM@120
# One launcher on each machine, one process on each of its GPUs:
#   sbatch slurm.sh continuous --model MODEL --out /shared/runs/one
# A job that was cut off goes on where it was when it is submitted again: the run resumes.
set -eu
gpus=${GPUS:-8} # of a machine
config=$(python -c 'import mstar.experiments as e; print(next(iter(e.__path__)))')/accelerate/fsdp2-nodes.yaml
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun bash -c 'exec accelerate launch --config_file "$0" \
  --num_machines "$SLURM_NNODES" --num_processes "$((SLURM_NNODES * $1))" \
  --machine_rank "$SLURM_NODEID" --main_process_ip "$2" --main_process_port 29500 \
  -m mstar.experiments.cli train "${@:3}"' "$config" "$gpus" "$head" "$@"
