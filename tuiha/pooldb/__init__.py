"""The one home of the enterprise database: its schema, the migrations, and the functions that write leases."""
