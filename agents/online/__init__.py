"""Online reinforcement learning by TRL's trainers on our sampler and panel."""
