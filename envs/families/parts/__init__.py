"""What several families draw with: drawings, axes, icons, figures, graphs, grids."""
