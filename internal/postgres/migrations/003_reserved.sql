-- Place of a migration of another branch.
select 3;
