#!/bin/bash
# One task on each node, which starts a process for each GPU: sbatch slurm.sh RECIPE [key=value …]
# All nodes see this folder, the environment and HF_HOME; srun ends all tasks when one is lost.
# At its time limit a job saves a checkpoint: sbatch slurm.sh RECIPE --resume goes on from it.
#SBATCH --job-name=graft
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue

export GPUS_PER_NODE=4
MASTER=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER
export PORT=$((20000 + SLURM_JOB_ID % 20000)) # jobs that share a node must not share it

# a job that a lost node put back into the queue has something to go on from
again=()
[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && again=(training.resume_from_checkpoint=true)

srun --kill-on-bad-exit=1 bash -c 'exec accelerate launch --quiet --multi_gpu \
    --num_machines "$SLURM_NNODES" --num_processes "$((SLURM_NNODES * GPUS_PER_NODE))" \
    --machine_rank "$SLURM_NODEID" --main_process_ip "$MASTER" --main_process_port "$PORT" \
    --mixed_precision no --dynamo_backend no pipelines/run.py "$@"' graft "$@" "${again[@]}"
