"""What gatehouse is measured against: programs in the same engine that do no more than they must."""
