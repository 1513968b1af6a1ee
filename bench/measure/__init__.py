"""What gatehouse costs, as ratios against programs that do nothing more than they must."""
