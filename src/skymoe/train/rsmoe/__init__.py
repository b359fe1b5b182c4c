"""Training an RS-MoE: what its stages begin with (`beginning`), their rows (`feeding`), and the stages (`running`)."""
