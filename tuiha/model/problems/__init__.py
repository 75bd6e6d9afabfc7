"""Problems of every kind of node, ranked, each with what it means and what comes next."""
