package javax.annotation;

/** Of JSR 250, which the JDK dropped: what is generated names it, and needs nothing of it at run time. */
public @interface Generated {
  String[] value();

  String date() default "";

  String comments() default "";
}
