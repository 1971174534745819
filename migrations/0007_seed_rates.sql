-- Rates to start with, which an admin changes through the API. Taxes are the
-- standard VAT rates of 2026; ** stands for every country without a row.
insert into tax_rates (country, rate_ppm, included) values
    ('AT', 200000, true), ('BE', 210000, true), ('CH', 81000, true), ('DE', 190000, true),
    ('DK', 250000, true), ('ES', 210000, true), ('FI', 255000, true), ('FR', 200000, true),
    ('GB', 200000, true), ('IE', 230000, true), ('IT', 220000, true), ('LU', 170000, true),
    ('NL', 210000, true), ('NO', 250000, true), ('PL', 230000, true), ('PT', 230000, true),
    ('SE', 250000, true), ('US', 70000, false), ('CA', 50000, false), ('**', 0, true);

insert into shipping_rates (country, amount_minor, free_from_minor) values
    ('DE', 490, 5000), ('AT', 690, 7500), ('BE', 790, 7500), ('NL', 790, 7500), ('LU', 790, 7500),
    ('FR', 890, 10000), ('IT', 990, 10000), ('ES', 990, 10000), ('PT', 1090, 10000), ('PL', 890, 10000),
    ('DK', 890, 10000), ('SE', 1090, 10000), ('FI', 1190, 10000), ('IE', 1190, 10000),
    ('CH', 1490, null), ('GB', 1490, null), ('NO', 1490, null), ('US', 2490, null), ('CA', 2490, null),
    ('**', 2990, null);
