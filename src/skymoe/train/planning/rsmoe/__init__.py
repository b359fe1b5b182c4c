"""Planning an RS-MoE: its dimensions, the walk through its parts, and what recipes and names say of its stages."""
